/** Looking for every object of the root image before it becomes the root. */
import { judgeObjects, OBJECT_ID_BYTES } from "../src/bootplan/objects.ts";
import { SealrootError } from "../src/errors/index.ts";
import type { BootSystem } from "./system.ts";
import { OBJECT_LIST, toolCommand } from "./tools.ts";

/**
 * A machine code program looks for 20,000 objects in less than 0.1 s: QuickJS's lstat() would take twice as long, and a
 * list in text would be twice the size (bench/RESULTS.md).
 *
 * @param objectsSource path of the held directory of objects
 * @throws SealrootError `untrusted` when an object is missing, `failed` when the search itself failed
 */
export function checkObjects(system: BootSystem, objectsSource: string): void {
  const { status, output } = system.run(toolCommand(system, "lookup", [objectsSource, OBJECT_LIST]));
  if (status !== 0) {
    throw new SealrootError("failed", `Cannot look for the objects of the root image: error ${status}`, {
      hint: "seal the image again",
    });
  }
  if (output.length > 0) judgeObjects(output, (system.readBytes(OBJECT_LIST)?.length ?? 0) / OBJECT_ID_BYTES);
}
