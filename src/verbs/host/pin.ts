/** `sealroot pin`, `sealroot unpin` */
import { type Command, command } from "../shared/command.ts";
import { openWritableHost } from "../shared/writable-host.ts";

export const pin = pinCommand(true, {
  description: `Keeps a deployment: it stays in the boot menu behind the newer ones, updates do not drop it, and sealroot gc and
delete-deployment leave it alone, until it is unpinned.`,
  examples: ["sealroot pin 3f81c2"],
});

export const unpin = pinCommand(false, {
  description: `Lets go of a pinned deployment: the next update may drop it. Nothing is deleted now.`,
  examples: ["sealroot unpin 3f81c2"],
});

function pinCommand(pinned: boolean, texts: Required<Pick<Command, "description" | "examples">>): Command {
  return command({
    ...texts,
    arguments: [{ name: "ID", summary: "of the deployment, or its first digits" }],
    reportsJson: true,
    async run(invocation) {
      const { deploymentByPrefix, pinText, readHost, setPinned } = await import("../../host/index.ts");
      using opened = openWritableHost(pinned ? "pin a deployment" : "unpin a deployment");
      const { deploymentId } = deploymentByPrefix(await readHost(opened.places), invocation.argument("ID"));
      const outcome = setPinned(opened.places, deploymentId, pinned);
      if (invocation.json) invocation.output.json(outcome);
      else invocation.output.line(pinText(outcome));
    },
  });
}
