/** The user that runs this process, who may be unknown to the system. */
import { userInfo } from "node:os";

/**
 * The user's directory: `$HOME`, else the one in passwd(5). A user id without an entry, as clusters assign to
 * containers, has `/`, as after login(1).
 */
export function homeDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return environment.HOME || knownUser()?.homedir || "/";
}

/** The user's name; undefined for a user id without an entry in passwd(5). */
export function userName(): string | undefined {
  return knownUser()?.username;
}

function knownUser(): { readonly username: string; readonly homedir: string } | undefined {
  try {
    return userInfo();
  } catch {
    // Node reports a missing entry as a failed system call.
    return undefined;
  }
}
