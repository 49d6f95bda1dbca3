/** `sealroot install mount --sysroot DIR --latest TARGET`. */
import { SealrootError } from "../../errors/index.ts";
import { command } from "../shared/command.ts";

export const installMount = command({
  description: `Mounts a deployment of a disk that does not run, as root: its image read-only on TARGET, and on it its own /etc and the
shared /var, writable, as setup-root-conf.toml of the image says (a transient one is a fresh overlay, changes are lost with the
mount). umount -R TARGET ends it.

DIR is where the root file system of the disk is mounted. The deployment is that of the first boot entry, which is looked for on
the ESP (--esp, or what is mounted at efi or boot/efi of DIR, or that of the same disk) and in boot of DIR; without any
entry there must be exactly one deployment. The kernel checks the image and every file of it by fs-verity, unless the deployment's
sealed command line has composefs=?.`,
  arguments: [{ name: "TARGET", summary: "an existing directory; what is in it is hidden" }],
  options: [
    { flags: "--sysroot <DIR>", summary: "where the root of the disk is mounted", required: true },
    { flags: "--latest", summary: "the deployment that boots by default", excludes: ["deployment"] },
    { flags: "--deployment <ID>", summary: "the deployment with this id, or these first digits" },
    { flags: "--esp <DIR>", summary: "where the ESP of the disk is mounted" },
    { flags: "--read-only", summary: "/etc and /var cannot be written to either" },
  ],
  examples: [
    "sealroot install mount --sysroot /mnt/sysroot --latest /mnt/installed",
    "sealroot install mount --sysroot /mnt/sysroot --deployment 1a2f --read-only /mnt/installed",
  ],
  reportsJson: true,
  async run(invocation) {
    const { mountDeployment } = await import("../../install/index.ts");
    const [deployment, esp] = [invocation.option("deployment"), invocation.option("esp")];
    if (!invocation.flag("latest") && deployment === undefined) {
      throw new SealrootError("usage", "Cannot mount a deployment: it is not said which", {
        hint: "give --latest, or --deployment with its id",
      });
    }
    const mounted = await mountDeployment({
      sysroot: invocation.required("sysroot"),
      target: invocation.argument("TARGET"),
      ...(deployment === undefined ? {} : { deployment }),
      ...(esp === undefined ? {} : { esp }),
      readOnly: invocation.flag("read-only"),
      warn: (text) => invocation.output.remark(`warning: ${text}`),
    });
    if (invocation.json) invocation.output.json(mounted);
    else invocation.output.line(mounted.deploymentId);
  },
});
