/** The lint about users that only `/etc` knows (sysusers.d(5), passwd(5), group(5)). */
import { corrupt } from "../../errors/index.ts";
import { hasFileAt, namesAt } from "../../tree/index.ts";
import type { RootDirectory } from "../root-directory.ts";
import { itemList } from "./items.ts";
import type { Lint } from "./lint.ts";

const SYSUSERS_FOLDER = "/usr/lib/sysusers.d";

export const USERS_LINT: Lint = {
  name: "sysusers",
  type: "warning",
  description: `Users and groups of /etc/passwd and /etc/group should be declared in /usr/lib/sysusers.d as well: a machine whose
/etc/passwd was changed keeps its own, and does not see those that a newer image adds.`,
  check: (context) => {
    const { directory } = context;
    const users = accountNames(directory, "/etc/passwd", 7);
    if (users === undefined) return undefined;
    const groups = accountNames(directory, "/etc/group", 4) ?? [];
    const declared = declaredNames(directory);
    const missing = (names: readonly string[], known: ReadonlySet<string>) =>
      [...new Set(names)].filter((name) => !known.has(name)).sort();
    const lists = [
      itemList("Found users of /etc/passwd that no sysusers.d declares", missing(users, declared.users), context),
      itemList("Found groups of /etc/group that no sysusers.d declares", missing(groups, declared.groups), context),
    ];
    return lists.join("") || undefined;
  },
};

function linesOf(directory: RootDirectory, path: string): string[] {
  return Buffer.from(directory.files.read(path)).toString("utf8").split("\n");
}

/** @param fields how many a line has, separated by colons */
function accountNames(directory: RootDirectory, path: string, fields: number): string[] | undefined {
  if (!hasFileAt(directory.files, path)) return undefined;
  return linesOf(directory, path).flatMap((line, index) => {
    // Lines with a sign stand for accounts of other databases (nsswitch.conf(5), compat).
    if (line === "" || /^[#+-]/.test(line)) return [];
    const parts = line.split(":");
    if (parts.length < fields) {
      throw corrupt(`Cannot read ${path}: line ${index + 1} has ${parts.length} fields, ${fields} expected`, {
        path,
        line: index + 1,
      });
    }
    return [parts[0] ?? ""];
  });
}

/** A declared user has a group of the same name. */
function declaredNames(directory: RootDirectory): { readonly users: Set<string>; readonly groups: Set<string> } {
  const [users, groups] = [new Set<string>(), new Set<string>()];
  for (const name of namesAt(directory.files, SYSUSERS_FOLDER).filter((candidate) => candidate.endsWith(".conf"))) {
    const path = `${SYSUSERS_FOLDER}/${name}`;
    if (!hasFileAt(directory.files, path)) continue;
    for (const line of linesOf(directory, path)) {
      const [kind = "", account = ""] = line.trim().split(/\s+/);
      const plain = account.replace(/^"(.*)"$/, "$1");
      if (/^u!?$/.test(kind)) users.add(plain);
      if (/^(?:u!?|g)$/.test(kind)) groups.add(plain);
    }
  }
  return { users, groups };
}
