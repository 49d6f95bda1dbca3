/** The part of Eleventy and markdown-it that the site uses; neither brings types of its own. */
declare module "@11ty/eleventy" {
  export interface Token {
    readonly type: string;
    readonly tag: string;
    readonly content: string;
    readonly children: readonly Token[] | null;
    attrGet(name: string): string | null;
    attrSet(name: string, value: string): void;
  }

  export interface MarkdownState {
    readonly tokens: readonly Token[];
    /** The data of the page. */
    readonly env: unknown;
  }

  export interface Markdown {
    set(options: { readonly html: boolean }): void;
    readonly core: { readonly ruler: { push(name: string, rule: (state: MarkdownState) => void): void } };
    readonly renderer: { readonly rules: Record<string, (() => string) | undefined> };
  }

  export interface UserConfig {
    addTemplate(path: string, content: string, data: object): void;
    addPassthroughCopy(paths: Readonly<Record<string, string>>): void;
    amendLibrary(name: "md", change: (markdown: Markdown) => void): void;
    setIncludesDirectory(path: string): void;
    setUseGitIgnore(use: boolean): void;
  }

  export interface Options {
    readonly quietMode: boolean;
    /** False: no configuration file is looked for. */
    readonly configPath: false;
    config(configuration: UserConfig): object;
  }

  export class Eleventy {
    constructor(input: string, output: string, options: Options);
    write(): Promise<unknown>;
  }
}
