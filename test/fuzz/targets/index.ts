/** Everything that is fuzzed. PE images and CMS have their own tests, test/pe/hostile.test.ts and test/cms. */
import type { FuzzTarget } from "../target.ts";
import { tarSplitTarget, tocTarget } from "./chunked.ts";
import { gzipTarget, zstdTarget } from "./compression.ts";
import { tarDiffTarget } from "./delta.ts";
import { dockerArchiveTarget } from "./docker-archive.ts";
import { dumpTarget } from "./dump.ts";
import { erofsTargets } from "./erofs.ts";
import { evidenceTargets } from "./evidence.ts";
import { luksTarget } from "./luks.ts";
import { metaTarget } from "./meta.ts";
import { packagesTargets } from "./packages.ts";
import { pcrSignaturesTarget } from "./pcr-signatures.ts";
import { policyTargets } from "./policy.ts";
import { registryTargets } from "./registry.ts";
import { repositoryTarget } from "./repository.ts";
import { sbatTarget } from "./sbat.ts";
import { splitStreamPartsTarget, splitStreamTarget } from "./splitstream.ts";
import { tarTarget } from "./tar.ts";

export const TARGETS: readonly FuzzTarget[] = [
  dumpTarget,
  ...erofsTargets,
  splitStreamTarget,
  splitStreamPartsTarget,
  tarTarget,
  gzipTarget,
  zstdTarget,
  tocTarget,
  tarSplitTarget,
  tarDiffTarget,
  luksTarget,
  metaTarget,
  ...evidenceTargets,
  ...packagesTargets,
  pcrSignaturesTarget,
  ...policyTargets,
  ...registryTargets,
  sbatTarget,
  dockerArchiveTarget,
  repositoryTarget,
];
