/** What a person waiting for a boot wants to see of the console: its last line. */
import { ConsoleLog } from "./console.ts";

/**
 * A receiver of console output (`onConsole`) that reports the last line whenever it changes.
 * @param report gets the line without control sequences
 */
export function lastConsoleLine(report: (line: string) => void): (bytes: Uint8Array) => void {
  const console = new ConsoleLog();
  let last = "";
  return (bytes) => {
    console.append(bytes);
    const [line = ""] = console.lastLines(1);
    if (line === last) return;
    last = line;
    report(line);
  };
}
