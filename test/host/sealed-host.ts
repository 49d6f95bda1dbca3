/** A host as a folder, whose firmware enforces Secure Boot. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ukiPath } from "../../src/bls/index.ts";
import { authenticatedContent, GLOBAL_VARIABLE_VENDOR, IMAGE_SECURITY_DATABASE_VENDOR } from "../../src/efi/index.ts";
import type { HostPlaces } from "../../src/host/index.ts";
import { temporaryKeys } from "../keys/temporary-keys.ts";
import type { FixtureHost } from "./fixture-host.ts";

/** A host whose firmware enforces Secure Boot and knows who signed the booted UKI. */
export async function sealedHost(host: FixtureHost) {
  const { signer, enrolment } = await temporaryKeys();
  const id = await host.add({ signer });
  const uki = join(host.bootDirectory, ukiPath(id));
  const efiVariables = join(host.path, "efivars");
  mkdirSync(efiVariables);
  const set = (name: string, vendor: unknown, value: Uint8Array) =>
    writeFileSync(join(efiVariables, `${name}-${vendor}`), Buffer.concat([Buffer.of(7, 0, 0, 0), value]));
  const turnSecureBoot = (value: 0 | 1) => set("SecureBoot", GLOBAL_VARIABLE_VENDOR, Buffer.of(value));
  turnSecureBoot(1);
  set("db", IMAGE_SECURITY_DATABASE_VENDOR, authenticatedContent(enrolment.db));
  const places: HostPlaces = { ...host.places(id), efiVariables };
  return { id, uki, places, signer, turnSecureBoot };
}
