/** The files of a new project, and the templates that they are made of: examples of this checkout, or files for this alone. */

/** What the system is based on. */
export const STARTER_BASES = ["debian", "fedora"] as const;
export type StarterBase = (typeof STARTER_BASES)[number];

export interface StarterFile {
  /** In the project. */
  readonly path: string;
  /** In the checkout and in what is made of it; the examples are built and booted by tests. */
  readonly template: string;
  readonly mode: number;
}

const COMMON: readonly StarterFile[] = [
  { path: "README.md", template: "starter/README.md", mode: 0o644 },
  { path: "justfile", template: "starter/justfile", mode: 0o644 },
  { path: ".gitignore", template: "starter/gitignore", mode: 0o644 },
  { path: ".containerignore", template: "starter/containerignore", mode: 0o644 },
  { path: "sealed-image.sh", template: "examples/ci/sealed-image.sh", mode: 0o755 },
  { path: ".github/workflows/sealed-image.yml", template: "examples/ci/sealed-image.yml", mode: 0o644 },
];

const CONTAINERFILES: Readonly<Record<StarterBase, string>> = {
  debian: "examples/containerfile/Containerfile",
  fedora: "starter/fedora/Containerfile",
};

/** The files of a project, the one to change first. */
export function starterFiles(base: StarterBase): readonly StarterFile[] {
  return [{ path: "Containerfile", template: CONTAINERFILES[base], mode: 0o644 }, ...COMMON];
}

/** All templates, for those who package the program. */
export function starterTemplates(): readonly string[] {
  return [...new Set(STARTER_BASES.flatMap((base) => starterFiles(base).map(({ template }) => template)))].sort();
}
