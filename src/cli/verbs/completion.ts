/** `sealroot completion SHELL` and the hidden verb its scripts call. */
import { SealrootError } from "../../errors/index.ts";
import type { Command } from "../command.ts";
import { COMMANDS } from "../commands.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_sealroot() {
  local IFS=$'\\n'
  COMPREPLY=($(sealroot __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  [ \${#COMPREPLY[@]} -gt 0 ] || compopt -o default
}
complete -F _sealroot sealroot`,
  zsh: `#compdef sealroot
_sealroot() {
  local -a candidates
  candidates=(\${(f)"$(sealroot __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#candidates} )); then compadd -a candidates; else _files; fi
}
compdef _sealroot sealroot`,
  fish: `complete -c sealroot -a '(sealroot __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'`,
};

export const completion: Command = {
  description: "Add the line of the example to the start-up file of your shell.",
  arguments: [{ name: "SHELL", summary: "bash, zsh or fish" }],
  examples: ["source <(sealroot completion bash)"],
  async run(invocation) {
    const shell = invocation.argument("SHELL");
    const script = SCRIPTS[shell];
    if (script === undefined) {
      throw new SealrootError("usage", `There is no completion for "${shell}": ${SHELLS.join(", ")} are known`);
    }
    invocation.output.line(script);
  },
};

export const complete: Command = {
  arguments: [{ name: "WORD", summary: "the words so far, the last one unfinished", optional: true, repeat: true }],
  examples: ["sealroot __complete -- repo in"],
  async run(invocation) {
    for (const word of await candidates(invocation.arguments("WORD"))) invocation.output.line(word);
  },
};

/** What may stand in the place of the last of `words`: names of verbs, options of the verb before it, or their values. */
async function candidates(words: readonly string[]): Promise<string[]> {
  const before = words.slice(0, -1);
  const unfinished = words.at(-1) ?? "";
  const visible = COMMANDS.filter((entry) => !entry.hidden);
  const next = visible
    .filter((entry) => before.every((word, index) => entry.path[index] === word))
    .flatMap((entry) => entry.path[before.length] ?? []);
  const names = [...new Set(next)].filter((name) => name.startsWith(unfinished));
  const option = before.at(-1) ?? "";
  if (!unfinished.startsWith("-") && !option.startsWith("--")) return names;
  const entry = visible
    .filter((one) => one.path.every((word, index) => before[index] === word))
    .sort((a, b) => b.path.length - a.path.length)[0];
  if (!entry) return [];
  const command = await entry.load();
  const options = (command.options ?? []).filter(({ hidden }) => hidden !== true);
  if (!unfinished.startsWith("-")) {
    const choices = options.find(({ flags }) => longFlag(flags) === option)?.choices ?? [];
    return choices.filter((choice) => choice.startsWith(unfinished));
  }
  const flags = options.flatMap((one) => longFlag(one.flags) ?? []);
  const common = ["--help", "--quiet", "--progress", "--progress-fd", ...(command.reportsJson ? ["--json"] : [])];
  return [...flags, ...common].filter((flag) => flag.startsWith(unfinished)).sort();
}

/** `--name` of a specification such as `-o, --output <IMAGE>`. */
function longFlag(flags: string): string | undefined {
  return /--[a-z0-9-]+/.exec(flags)?.[0];
}
