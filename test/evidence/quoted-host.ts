/** A host that Secure Boot has started, its TPM as firmware, systemd-stub and systemd leave it, and quoted evidence of both. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromHex } from "../../src/bytes/index.ts";
import { authenticatedContent, GLOBAL_VARIABLE_VENDOR, IMAGE_SECURITY_DATABASE_VENDOR } from "../../src/efi/index.ts";
import { silent } from "../../src/events/index.ts";
import { collectEvidence, type Evidence, quoteEvidence } from "../../src/evidence/index.ts";
import { firmwareVariables } from "../../src/host/index.ts";
import { Materials, NO_POLICY, verifyBooted } from "../../src/verify/index.ts";
import { FixtureHost } from "../host/fixture-host.ts";
import { TEST_KEYS } from "../install/sealed-image.ts";
import {
  digestOf,
  eventLogBytes,
  measuredTable,
  measuredVariable,
  separator,
  startedProgram,
  startupLocality,
  type WrittenEvent,
} from "../tpm/event-log-writer.ts";
import { SoftwareTpm } from "../tpm/software-tpm.ts";
import { sealedInitramfs } from "../verify/fixture-disk.ts";

export const NONCE = "0123456789abcdef";
export const DISK = {
  diskGuid: "11111111-2222-3333-4444-555555555555",
  partitions: ["66666666-7777-8888-9999-aaaaaaaaaaaa", "bbbbbbbb-cccc-dddd-eeee-ffffffffffff"].map((guid, index) => ({
    ...{ number: index + 1, name: index === 0 ? "root" : "ESP", guid, startBytes: 1 << 20, sizeBytes: 1 << 20 },
    ...{ typeGuid: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", attributes: 0n },
  })),
};
export const MAKER = { madeBy: "sealroot test", madeAt: new Date("2026-01-02T03:04:05Z") };

const sha256 = (text: string | Uint8Array) => createHash("sha256").update(text).digest();

export class QuotedHost implements AsyncDisposable {
  readonly host: FixtureHost;
  readonly tpm: SoftwareTpm;
  /** Of the system, without a quote. */
  readonly plain: Evidence;
  readonly events: readonly WrittenEvent[];

  private constructor(host: FixtureHost, tpm: SoftwareTpm, plain: Evidence, events: readonly WrittenEvent[]) {
    this.host = host;
    this.tpm = tpm;
    this.plain = plain;
    this.events = events;
  }

  /** @param changeEvents what the firmware did otherwise */
  static async start(
    changeEvents: (events: WrittenEvent[]) => WrittenEvent[] = (events) => events,
    phases: readonly string[] = ["sysinit", "ready"],
  ): Promise<QuotedHost> {
    const host = await FixtureHost.make();
    const older = await host.add({
      initramfs: sealedInitramfs,
      rank: "secondary",
      files: [{ path: "usr/old", content: "o".repeat(99) }],
    });
    const id = await host.add({
      initramfs: sealedInitramfs,
      files: [
        { path: "usr/share" },
        { path: "usr/share/sbom" },
        { path: "usr/share/sbom/os.spdx.json", content: "{}" },
      ],
    });
    host.menu(id, older);
    const directory = join(host.path, "efivars");
    mkdirSync(directory);
    const set = (name: string, vendor: string, value: Uint8Array) =>
      writeFileSync(join(directory, `${name}-${vendor}`), Buffer.concat([Buffer.of(7, 0, 0, 0), value]));
    set("SecureBoot", GLOBAL_VARIABLE_VENDOR, Buffer.of(1));
    for (const name of ["PK", "KEK"] as const) {
      set(name, GLOBAL_VARIABLE_VENDOR, authenticatedContent(TEST_KEYS.enrolment[name]));
    }
    set("db", IMAGE_SECURITY_DATABASE_VENDOR, authenticatedContent(TEST_KEYS.enrolment.db));
    const materials = new Materials();
    const places = host.places(id, { efiVariables: directory });
    const report = await verifyBooted(places, { keys: undefined, policy: NO_POLICY, events: silent, materials });
    const running = { firmware: firmwareVariables(directory), disk: DISK };
    const plain = await collectEvidence(report, materials, MAKER, running);
    const events = changeEvents(firmwareEvents(plain, id));
    const tpm = await SoftwareTpm.start();
    for (const event of events) if (event.type !== 3) await tpm.extend(event.register, digestOf(event));
    for (const phase of phases) await tpm.extend(11, sha256(phase));
    await tpm.extend(15, sha256("machine-id"));
    return new QuotedHost(host, tpm, plain, events);
  }

  /** @param change of the evidence before the TPM vouches for it */
  async quoted(change: (evidence: Evidence) => Evidence = (evidence) => evidence, events = this.events) {
    const eventLog = eventLogBytes(events);
    return await quoteEvidence(change(structuredClone(this.plain)), { channel: this.tpm, nonce: NONCE, eventLog });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tpm[Symbol.asyncDispose]();
    this.host[Symbol.dispose]();
  }
}

/** What OVMF and systemd-stub measure, as far as it counts here. */
function firmwareEvents({ programs, keys, images }: Evidence, id: string): WrittenEvent[] {
  const [firmware] = keys;
  const value = (name: "PK" | "KEK" | "db" | "dbx") => Buffer.from(firmware?.[name] ?? "", "base64");
  const loader = programs.find(({ role }) => role === "loader");
  const uki = programs.find(({ role, commandLine }) => role === "uki" && commandLine?.includes(id));
  if (loader === undefined || uki === undefined || images.length === 0) throw new Error("the host has no chain");
  const digest = (hex: string | undefined) => fromHex(hex ?? "");
  return [
    startupLocality(0),
    { register: 0, type: 8, data: Buffer.from("version") },
    measuredVariable("SecureBoot", Buffer.of(1)),
    ...(["PK", "KEK", "db", "dbx"] as const).map((name) => measuredVariable(name, value(name))),
    separator(7),
    { register: 4, type: 0x80000007, data: Buffer.from("Calling EFI Application from Boot Option") },
    ...[0, 1, 2, 3, 4, 5, 6].map(separator),
    measuredTable(
      DISK.diskGuid,
      DISK.partitions.map(({ guid }) => guid),
    ),
    startedProgram(digest(loader.authenticode.sha256)),
    startedProgram(digest(uki.authenticode.sha256)),
    ...(uki.sections ?? []).flatMap(({ name, sha256: content }): WrittenEvent[] => [
      { register: 11, type: 0x0d, data: Buffer.from(`${name}\0`) },
      { register: 11, type: 0x0d, data: Buffer.from(name), digest: digest(content) },
    ]),
  ];
}
