/** `sealroot completion SHELL` and the hidden verb its scripts call. */
import { SealrootError } from "../errors/index.ts";
import { type Command, type CommandTable, command } from "../verbs/index.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

/**
 * bash splits words at colons, so the words are taken from the line itself, and what precedes the last colon of the
 * unfinished word is cut off the candidates again. A candidate's meaning follows it after a tab.
 */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_sealroot() {
  local line="\${COMP_LINE:0:COMP_POINT}" words word candidate IFS=$' \\t\\n'
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  word="\${words[\${#words[@]}-1]}"
  COMPREPLY=()
  while IFS= read -r candidate; do
    candidate="\${candidate%%$'\\t'*}"
    [[ $word == *:* && $COMP_WORDBREAKS == *:* ]] && candidate="\${candidate#"\${word%"\${word##*:}"}"}"
    COMPREPLY+=("$candidate")
  done < <("\${words[0]}" __complete -- "\${words[@]:1}" 2>/dev/null)
  if [ \${#COMPREPLY[@]} -eq 0 ]; then compopt -o default; fi
  if [[ \${COMPREPLY[0]} == *[/:] ]]; then compopt -o nospace; fi
}
complete -F _sealroot sealroot`,
  zsh: `#compdef sealroot
_sealroot() {
  local -a candidates described
  candidates=(\${(f)"$(\${words[1]} __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( ! \${#candidates} )); then _files; return; fi
  described=(\${\${candidates//:/\\\\:}/$'\\t'/:})
  _describe -t values sealroot described
}
compdef _sealroot sealroot`,
  fish: `complete -c sealroot -f -a '(sealroot __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
complete -c sealroot -F -n 'test -z "$(sealroot __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)"'`,
};

export const completion = command({
  description: "Add the line of the example to your shell's start-up file.",
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
});

/** The verb that the scripts call. @param table what it completes; a parameter, since the table contains this verb */
export function completeCommand(table: CommandTable): Command {
  return {
    arguments: [{ name: "WORD", summary: "the words so far, the last one unfinished", optional: true, repeat: true }],
    examples: ["sealroot __complete -- repo in"],
    async run(invocation) {
      const { completeWords } = await import("./complete.ts");
      for (const { value, description } of await completeWords(table, invocation.arguments("WORD"))) {
        invocation.output.line(description === undefined ? value : `${value}\t${description}`);
      }
    },
  };
}
