/** `sealroot internals varlink`, started by its socket unit, or by varlinkctl itself. */
import { Socket } from "node:net";
import { SealrootError } from "../../errors/index.ts";
import { command } from "../shared/command.ts";

/** The first of the descriptors that are handed over (sd_listen_fds(3)). */
const FIRST_DESCRIPTOR = 3;

export const internalsVarlink = command({
  description: `Answers one varlink connection: the interfaces containers.bootc and containers.bootc.update. sealroot-varlink.socket starts it
for every connection to /run/sealroot/varlink, which only root may use.`,
  examples: ["sealroot internals varlink"],
  async run() {
    if (process.env.LISTEN_FDS !== "1") {
      throw new SealrootError("usage", "Cannot serve: no connection was handed over", {
        hint: "call it through its socket: varlinkctl info /run/sealroot/varlink",
      });
    }
    const { HOST_SERVICE, serveConnection } = await import("../../service/index.ts");
    const { programVersion } = await import("../../platform/index.ts");
    const connection = new Socket({ fd: FIRST_DESCRIPTOR, readable: true, writable: true });
    try {
      await serveConnection(connection, HOST_SERVICE, programVersion());
    } finally {
      connection.destroySoon();
    }
  },
});
