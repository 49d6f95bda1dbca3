/** `sealroot usr-overlay` */
import { SealrootError } from "../../errors/index.ts";
import { command } from "../shared/command.ts";

export const usrOverlay = command({
  description: `Puts a layer in memory over /usr, so that it can be changed until the next boot: to try a fix, or a package. The image
stays as it is. With --read-only nothing can be written through /usr itself.`,
  options: [{ flags: "--read-only", summary: "mount it so that /usr stays read-only" }],
  examples: ["sealroot usr-overlay"],
  async run(invocation) {
    const { mountUsrOverlay, openHost } = await import("../../host/index.ts");
    using opened = openHost();
    if (opened === undefined) {
      throw new SealrootError("unsupported", "Cannot put an overlay on /usr: this system is not deployed via bootc");
    }
    if (opened.places.usrOverlay !== undefined) {
      invocation.output.line("An overlayfs is already mounted on /usr");
      return;
    }
    const readOnly = invocation.flag("read-only");
    mountUsrOverlay({ readOnly });
    invocation.output.line(`A ${readOnly ? "read-only" : "read/write"} overlayfs is now mounted on /usr`);
    invocation.output.line("All changes there will be discarded on reboot.");
  },
});
