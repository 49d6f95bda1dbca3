/**
 * The interfaces of the host. Their names are those of bootc's draft; as it has not been released, methods and parameters are
 * ours.
 */
import type { VarlinkInterface } from "../varlink/index.ts";

const FAILED = "Failed (code: string, message: string, hint: ?string, path: ?string, step: ?string)";

export const HOST_INTERFACE: VarlinkInterface = {
  name: "containers.bootc",
  summary: "The deployments of this host",
  types: ["Problem (subject: string, code: string, message: string)"],
  methods: {
    GetStatus: {
      summary: "The document of `bootc status --json`, and what is wrong with the host, each by itself",
      input: "(bootedOnly: ?bool)",
      output: "(host: object, problems: []Problem)",
    },
  },
  errors: [FAILED],
};

const UPDATE_INPUT =
  "source: ?string, etc: ?string, downloadOnly: ?bool, ukiAddons: ?[]string, globalUkiAddons: ?[]string";
const UPDATE_OUTPUT = "(progress: ?Progress, outcome: ?Outcome)";

export const UPDATE_INTERFACE: VarlinkInterface = {
  name: "containers.bootc.update",
  summary: "Updates of this host. With `more`, what is done is reported by replies before the last",
  types: [
    "Progress (step: ?string, state: string, done: ?int, total: ?int, unit: ?string, message: ?string)",
    "Outcome (result: string, standing: string, deploymentId: string, manifestDigest: string, followsNewReference: bool, image: string, addons: ?[]Addon)",
    "Addon (name: string, scope: string, deploymentId: ?string, result: string)",
  ],
  methods: {
    Check: {
      summary: "Whether there is an update; writes nothing",
      input: "(tag: ?string, source: ?string)",
      output: "(image: string, manifestDigest: string, updateAvailable: bool, standing: string)",
    },
    Upgrade: {
      summary: "Stages the image that this host follows for the next boot; etc is keep, theirs or abort",
      input: `(tag: ?string, ${UPDATE_INPUT})`,
      output: UPDATE_OUTPUT,
    },
    Switch: {
      summary: "Stages another image, which this host follows from then on",
      input: `(image: string, transport: ?string, ${UPDATE_INPUT})`,
      output: UPDATE_OUTPUT,
    },
    ApplyDownloaded: {
      summary: "Lets the next boot take what was only downloaded; false when it does already",
      input: "()",
      output: "(changed: bool)",
    },
    Rollback: {
      summary: "Lets the next boot take the previous deployment, or the one whose id begins so",
      input: "(deployment: ?string)",
      output: "(deploymentId: string, isBooted: bool, reverted: bool, droppedId: ?string)",
    },
    Reboot: { summary: "Reboots this host", input: "()", output: "()" },
  },
  errors: [FAILED],
};
