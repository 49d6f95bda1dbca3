/** The methods of the host's interfaces: what the verbs of the same names do. */

import type { EtcPolicy } from "../deployment/index.ts";
import { SealrootError } from "../errors/index.ts";
import { silent } from "../events/index.ts";
import {
  deploymentByPrefix,
  type Host,
  type HostPlaces,
  type OpenedHost,
  openHost,
  readBootedChain,
  readHost,
  rebootHost,
  rollback,
  startFinalizer,
  statusDocument,
} from "../host/index.ts";
import { MACHINE_POLICY } from "../policy/index.ts";
import {
  applyDownloaded,
  machineOptions,
  openUpdate,
  switchTarget,
  type UpdateTarget,
  updateHost,
  upgradeTarget,
} from "../update/index.ts";
import { HOST_INTERFACE, UPDATE_INTERFACE } from "./host-interfaces.ts";
import { InvalidParameter, type Parameters } from "./parameters.ts";
import { progressSink } from "./progress.ts";
import type { Handler, SendMore, Service } from "./serve.ts";

const ETC_POLICIES: readonly EtcPolicy[] = ["keep", "theirs", "abort"];

function opened(write: boolean): OpenedHost {
  const host = openHost({ write });
  if (host !== undefined) return host;
  throw new SealrootError("unsupported", "Cannot answer: this system is not deployed via bootc");
}

const getStatus: Handler = async (parameters) => {
  using host = opened(false);
  const read = await readHost(host.places);
  const problems = [...host.problems, ...read.problems].map(({ subject, error: { code, message } }) => ({
    ...{ subject, code, message },
  }));
  const chain = await readBootedChain(host.places, read);
  return { host: statusDocument(read, { bootedOnly: parameters.flag("bootedOnly"), withOwn: true, chain }), problems };
};

const check: Handler = async (parameters) => {
  using host = opened(false);
  const read = await readHost(host.places);
  const target = upgradeTarget(read, choiceOf(parameters));
  await using update = await openUpdate(host.places, read, target, { policy: MACHINE_POLICY, events: silent });
  const { manifestDigest, standing } = update;
  return { image: target.imageReference, manifestDigest, updateAvailable: standing === "new", standing };
};

const upgrade: Handler = (parameters, more) =>
  stage(parameters, more, (host) => upgradeTarget(host, choiceOf(parameters)));

const switchImage: Handler = (parameters, more) => {
  const { source } = choiceOf(parameters);
  const transport = parameters.optionalText("transport") ?? "registry";
  return stage(parameters, more, () => switchTarget(parameters.text("image"), transport, source));
};

function choiceOf(parameters: Parameters) {
  return { tag: parameters.optionalText("tag"), source: parameters.optionalText("source") };
}

async function stage(
  parameters: Parameters,
  more: SendMore,
  choose: (host: Host) => UpdateTarget,
): Promise<Readonly<Record<string, unknown>>> {
  const etc = etcPolicy(parameters);
  const events = progressSink((progress) => more({ progress, outcome: null }));
  using host = opened(true);
  const { places } = host;
  const read = await readHost(places);
  const target = choose(read);
  await using update = await openUpdate(places, read, target, { policy: MACHINE_POLICY, events });
  const outcome = await updateHost(places, read, update, {
    ...machineOptions(),
    ...{ downloadOnly: parameters.flag("downloadOnly"), etc, allowDowngrade: false, retryFailed: false, events },
    allowMissingVerity: read.booted?.missingVerityAllowed ?? false,
    addons: { scoped: parameters.texts("ukiAddons"), global: parameters.texts("globalUkiAddons") },
  });
  return { progress: null, outcome: { ...outcome, image: target.imageReference } };
}

function etcPolicy(parameters: Parameters): EtcPolicy {
  const wanted = parameters.optionalText("etc") ?? "abort";
  const policy = ETC_POLICIES.find((known) => known === wanted);
  if (policy === undefined) throw new InvalidParameter("etc");
  return policy;
}

const applyWhatWasDownloaded: Handler = async () => {
  using host = opened(true);
  return { changed: await applyDownloaded(host.places, { startFinalizer }) };
};

const rollBack: Handler = async (parameters) => {
  using host = opened(true);
  const { places } = host;
  const outcome = await rollback(places, await idOf(places, parameters.optionalText("deployment")));
  const { deploymentId, isBooted, reverted, droppedId } = outcome;
  return { deploymentId, isBooted, reverted, droppedId: droppedId ?? null };
};

async function idOf(places: HostPlaces, given: string | undefined): Promise<string | undefined> {
  return given === undefined ? undefined : deploymentByPrefix(await readHost(places), given).deploymentId;
}

const reboot: Handler = async () => {
  await rebootHost();
  return {};
};

export const HOST_SERVICE: Service = {
  product: "sealroot",
  interfaces: [
    { description: HOST_INTERFACE, handlers: { GetStatus: getStatus } },
    {
      description: UPDATE_INTERFACE,
      handlers: {
        Check: check,
        Upgrade: upgrade,
        Switch: switchImage,
        ApplyDownloaded: applyWhatWasDownloaded,
        Rollback: rollBack,
        Reboot: reboot,
      },
    },
  ],
};
