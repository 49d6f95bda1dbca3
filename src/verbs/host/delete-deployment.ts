/** `sealroot delete-deployment` */
import { command } from "../shared/command.ts";
import { INCOMPLETE_EXIT_CODE } from "../shared/host-garbage.ts";
import { openWritableHost } from "../shared/writable-host.ts";

export const deleteDeploymentCommand = command({
  description: `Deletes a deployment, staged or not: its boot entry, its state with its own /etc, and everything that no other one
needs, as sealroot gc does. The booted deployment and pinned ones are refused. When a rollback to it is queued, the next
boot takes the booted deployment again.`,
  arguments: [{ name: "ID", summary: "of the deployment, or its first digits" }],
  examples: ["sealroot delete-deployment 3f81c2"],
  reportsJson: true,
  async run(invocation) {
    const {
      collectionJson,
      collectionLines,
      deletedText,
      deleteDeployment,
      deploymentByPrefix,
      nextRootImage,
      readHost,
    } = await import("../../host/index.ts");
    using opened = openWritableHost("delete a deployment");
    const { deploymentId } = deploymentByPrefix(await readHost(opened.places), invocation.argument("ID"));
    const deleted = await deleteDeployment(opened.places, deploymentId, {
      preparedImage: nextRootImage(),
      events: invocation.events,
    });
    const { collection, wasStaged } = deleted;
    if (invocation.json) invocation.output.json({ deploymentId, wasStaged, collection: collectionJson(collection) });
    else {
      invocation.output.line(deletedText(deleted));
      for (const line of collectionLines(collection)) invocation.output.line(line);
      for (const { subject, error } of collection.problems) invocation.output.remark(`${subject}: ${error.message}`);
    }
    return collection.isIncomplete ? INCOMPLETE_EXIT_CODE : 0;
  },
});
