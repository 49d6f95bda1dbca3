/** Programs that keep credentials: `docker-credential-NAME` (docker-credential-helpers, "Development"). */
import * as v from "valibot";
import { SealrootError } from "../errors/index.ts";
import { runTool } from "../platform/index.ts";
import { parseJson } from "./lenient-json.ts";
import type { Credentials } from "./options.ts";

/** A helper may ask the user to unlock a key ring. */
const TIMEOUT_MS = 60_000;
/** What a helper prints, with exit code 1, when it has nothing for the host. */
const NOT_FOUND = /credentials not found/i;
/** Takes the place of the user's name when the secret is an identity token. */
const TOKEN_USER = "<token>";

const answerSchema = v.looseObject({ Username: v.string(), Secret: v.string() });

/**
 * Asks a helper program.
 *
 * @param name what follows `docker-credential-`
 * @returns undefined when it has nothing for the host
 * @throws SealrootError `missing-tool`, `timeout`; `failed` when the program fails or answers with something else
 */
export async function askCredentialHelper(name: string, host: string): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  if (!/^[A-Za-z0-9._-]+$/.test(name)) {
    throw new SealrootError("corrupt", `Cannot run credential helper "${name}": this is not the name of a program`);
  }
  const { exitCode, stdout, stderr } = await runTool(program, ["get"], {
    input: host,
    timeoutMs: TIMEOUT_MS,
    successCodes: [0, 1],
  });
  const text = stdout.toString("utf8");
  if (exitCode === 1) {
    if (NOT_FOUND.test(text) || NOT_FOUND.test(stderr)) return undefined;
    const said = (text.trim() || stderr.trim()).slice(0, 200);
    throw new SealrootError("failed", `Cannot get credentials for ${host}: ${program}: ${said}`, { path: program });
  }
  const answer = v.safeParse(answerSchema, parseJson(text));
  if (!answer.success) {
    throw new SealrootError("failed", `Cannot get credentials for ${host}: ${program} answered with something else`, {
      path: program,
    });
  }
  const { Username: userName, Secret: secret } = answer.output;
  if (userName === TOKEN_USER) return { type: "identity-token", token: secret };
  return { type: "password", userName, password: secret };
}
