/** Quoted evidence of a host: what is right about it, and every forgery at its link. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { authenticatedContent } from "../../src/efi/index.ts";
import {
  checkEvidence,
  type Evidence,
  type EvidenceOptions,
  evidenceText,
  pinnedKey,
  quoteEvidence,
  readEvidence,
} from "../../src/evidence/index.ts";
import { allLinks, firstBroken, type LinkName, NO_POLICY, reportJson } from "../../src/verify/index.ts";
import { temporaryKeys } from "../keys/temporary-keys.ts";
import { eventLogBytes, separator, startedProgram, type WrittenEvent } from "../tpm/event-log-writer.ts";
import { SoftwareTpm } from "../tpm/software-tpm.ts";
import { NONCE, QuotedHost } from "./quoted-host.ts";
import { schemaFaults } from "./schema.ts";

let system: QuotedHost;
let good: Evidence;
let options: EvidenceOptions;
const other = await temporaryKeys("other");
before(async () => {
  system = await QuotedHost.start();
  const { evidence, attestationKeyPem } = await system.quoted();
  good = evidence;
  const attestationKey = pinnedKey(Buffer.from(attestationKeyPem), "ak.pem");
  options = { keys: undefined, policy: NO_POLICY, nonce: NONCE, attestationKey, atHand: undefined };
});
after(async () => await system[Symbol.asyncDispose]());

const check = (evidence: Evidence, changes: Partial<EvidenceOptions> = {}) =>
  checkEvidence("os.json", readEvidence(Buffer.from(evidenceText(evidence)), "os.json"), { ...options, ...changes });

async function broken(evidence: Evidence, changes: Partial<EvidenceOptions> = {}) {
  const found = firstBroken((await check(evidence, changes)).links);
  return [found?.link.name, found?.finding.message] as const;
}

/** A copy, changed. */
function changed(change: (evidence: Evidence) => unknown): Evidence {
  const copy = structuredClone(good);
  change(copy);
  return copy;
}

/** With what is never null here. */
function parts(evidence: Evidence) {
  const { source, quote, disk } = evidence;
  const uki = evidence.programs.find(({ role }) => role === "uki");
  const loader = evidence.programs.find(({ role }) => role === "loader");
  const [firmware] = evidence.keys;
  assert.ok(source && quote && disk && uki?.sections && loader && firmware);
  return { source, quote, disk, uki, sections: uki.sections, loader, firmware };
}

const flipBase64 = (text: string, at: number) => {
  const bytes = Buffer.from(text, "base64");
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  return bytes.toString("base64");
};

test("good evidence: every link of the boot is verified by the quote; what nothing measures is said", async () => {
  const report = await check(good);
  assert.equal(firstBroken(report.links), undefined);
  assert.deepEqual(
    [...allLinks(report.links)].map(({ name, state }) => `${name} ${state}`),
    [
      // The folder has no fs-verity.
      ...["evidence weaker", "source verified", "disk verified", "keys verified", "loader verified", "loader verified"],
      ...["uki verified", "command-line verified", "uki verified", "command-line unchecked"],
      ...["image verified", "quote verified"],
    ],
  );
  const facts = [...allLinks(report.links)].flatMap((link) => [link.by ?? "", ...link.facts]).join("\n");
  assert.match(facts, /^PCR 11 of the quote, after sysinit, ready$/m);
  assert.match(facts, /^the partition table that was measured into PCR 5$/m);
  assert.match(facts, /^list of software \/usr\/share\/sbom\/os\.spdx\.json, sha256 44136fa355b3678a/m);
  assert.match(facts, /^manifest, configuration and \d layers fit each other$/m);
  assert.match(
    facts,
    /^the firmware started EFI\/BOOT\/BOOTX64\.EFI, EFI\/Linux\/bootc\/bootc_composefs-[0-9a-f]{128}\.efi$/m,
  );
  assert.match(facts, /^Secure Boot was on, with the keys of the evidence$/m);
  assert.deepEqual(schemaFaults("verify", reportJson(report)), []);
  assert.deepEqual(schemaFaults("evidence", good), []);
});

test("the same evidence has the same bytes, and every way to reach a phase is one", async () => {
  const again = await system.quoted();
  const { attest: _, signature: __, ...quote } = parts(again.evidence).quote;
  const { attest: ___, signature: ____, ...before } = parts(good).quote;
  assert.deepEqual({ ...again.evidence, quote }, { ...good, quote: before });
  for (const phases of [[], ["enter-initrd", "leave-initrd", "sysinit", "ready"], ["ready"]]) {
    await using late = await QuotedHost.start((events) => events, phases);
    assert.deepEqual(await broken((await late.quoted()).evidence, { attestationKey: undefined }), [
      undefined,
      undefined,
    ]);
  }
});

test("without nonce it may be old, without its key it may be anybody's, without a quote nothing vouches for it", async () => {
  const findings = async (changes: Partial<EvidenceOptions>, evidence = good) => {
    const { links } = await check(evidence, changes);
    return links.find(({ name }) => name === "quote")?.findings.map(({ state, message }) => `${state}: ${message}`);
  };
  assert.deepEqual(await findings({ nonce: undefined }), [
    "unchecked: it may be old: no nonce is at hand that it must be about",
  ]);
  assert.deepEqual(await findings({ attestationKey: undefined }), [
    "weaker: nobody at hand knows the key that signed it: whoever made the evidence may have made the key",
  ]);
  const none = { nonce: undefined, attestationKey: undefined };
  assert.deepEqual(await findings(none, system.plain), [
    "unchecked: there is none: nothing vouches for the evidence but who gave it",
  ]);
  for (const demand of [
    { ...none, nonce: NONCE },
    { ...none, attestationKey: options.attestationKey },
  ]) {
    assert.deepEqual(await broken(system.plain, demand), ["quote", "the evidence has none"]);
  }
});

const NOT_ABOUT = "it is not about this evidence: something in the evidence is not what it was";

/** What somebody changes of evidence that was good, the link at which it is named first, and what that says. */
const FORGERIES: Readonly<
  Record<string, readonly [change: (evidence: Evidence) => unknown, LinkName, RegExp | string]>
> = {
  "the verdict": [(e) => (e.verdict = "verified"), "evidence", "its verdict is not that of its links"],
  "the verdict and its links": [
    (e) => {
      e.verdict = "verified";
      for (const link of e.links) link.state = "verified";
    },
    "quote",
    NOT_ABOUT,
  ],
  "the time": [(e) => (e.madeAt = "2027-01-02T03:04:05.000Z"), "quote", NOT_ABOUT],
  "a byte of the manifest": [
    (e) => (parts(e).source.manifest = flipBase64(parts(e).source.manifest, 20)),
    "source",
    "Cannot use the manifest: it does not have its digest",
  ],
  "the manifest, with its digest": [
    (e) => {
      const { source } = parts(e);
      source.manifest = Buffer.from(`${Buffer.from(source.manifest, "base64")} `).toString("base64");
      source.manifestDigest = `sha256:${createHash("sha256").update(Buffer.from(source.manifest, "base64")).digest("hex")}`;
    },
    "quote",
    NOT_ABOUT,
  ],
  "a byte of the configuration": [
    (e) => (parts(e).source.config = flipBase64(parts(e).source.config, 20)),
    "source",
    "Cannot use the configuration: it does not have its digest",
  ],
  "a layer": [
    (e) => {
      const [layer] = parts(e).source.layers;
      assert.ok(layer);
      layer.diffId = `sha256:${"0".repeat(64)}`;
    },
    "source",
    "layer 1 is not that of the manifest",
  ],
  "a layer that is left out": [
    (e) => parts(e).source.layers.pop(),
    "source",
    "it states other layers than the manifest",
  ],
  "a list of software": [(e) => (e.softwareLists = []), "quote", NOT_ABOUT],
  "the command line": [
    (e) => (parts(e).uki.commandLine += " init=/bin/sh"),
    "command-line",
    "it is not what the section of the UKI has",
  ],
  "the command line with the digest of its section": [
    (e) => {
      const { uki, sections } = parts(e);
      uki.commandLine = uki.commandLine?.replace("rw", "ro") ?? null;
      const section = sections.find(({ name }) => name === ".cmdline");
      assert.ok(section);
      section.sha256 = createHash("sha256")
        .update(uki.commandLine ?? "")
        .digest("hex");
    },
    "quote",
    NOT_ABOUT,
  ],
  "the digest of a section": [
    (e) => {
      const section = parts(e).sections.find(({ name }) => name === ".initrd");
      assert.ok(section);
      section.sha256 = "0".repeat(64);
    },
    "quote",
    NOT_ABOUT,
  ],
  "the signature of another program": [
    (e) => (parts(e).uki.signatures = [...parts(e).loader.signatures]),
    "uki",
    /its digest is not the one that was signed$/,
  ],
  "the digest of a program": [
    (e) => (parts(e).loader.authenticode.sha256 = "0".repeat(64)),
    "loader",
    /its digest is not the one that was signed$/,
  ],
  "a program that is left out": [(e) => e.programs.splice(0, 2), "quote", NOT_ABOUT],
  "another db": [
    (e) => (parts(e).firmware.db = Buffer.from(authenticatedContent(other.enrolment.db)).toString("base64")),
    "loader",
    /refuses it/,
  ],
  "a db that lets more start": [
    (e) => {
      const { firmware } = parts(e);
      const more = Buffer.from(authenticatedContent(other.enrolment.db));
      firmware.db = Buffer.concat([Buffer.from(firmware.db, "base64"), more]).toString("base64");
    },
    "quote",
    NOT_ABOUT,
  ],
  "an image that no command line names": [
    (e) => e.images.push({ id: "0".repeat(128), algorithm: "sha512", rule: null }),
    "image",
    "no command line names it",
  ],
  "the GUID of the disk": [(e) => (parts(e).disk.guid = "99999999-2222-3333-4444-555555555555"), "quote", NOT_ABOUT],
  "the size of a partition": [(e) => (parts(e).disk.partitions[0] ?? assert.fail()).sizeBytes++, "quote", NOT_ABOUT],
  "the nonce that it states": [
    (e) => (parts(e).quote.nonce = "00"),
    "quote",
    "it is about another nonce, so it may be old",
  ],
  "the value of a register": [
    (e) => ((parts(e).quote.registers[10] ?? assert.fail()).value = "0".repeat(64)),
    "quote",
    NOT_ABOUT,
  ],
  "a register that is left out": [(e) => parts(e).quote.registers.pop(), "quote", NOT_ABOUT],
  "a byte of what was signed": [
    (e) => (parts(e).quote.attest = flipBase64(parts(e).quote.attest, 60)),
    "quote",
    "Cannot verify the quote: the attestation key did not sign it",
  ],
  "a byte of its signature": [
    (e) => (parts(e).quote.signature = flipBase64(parts(e).quote.signature, 20)),
    "quote",
    "Cannot verify the quote: the attestation key did not sign it",
  ],
  "an event of the log that is gone": [
    (e) => (parts(e).quote.eventLog = eventLogText(system.events.slice(1))),
    "quote",
    NOT_ABOUT,
  ],
  "the description of an event": [
    (e) => (parts(e).quote.eventLog = flipBase64(parts(e).quote.eventLog ?? "", -1 + logBytes())),
    "quote",
    NOT_ABOUT,
  ],
};

const eventLogText = (events: readonly WrittenEvent[]) => Buffer.from(eventLogBytes(events)).toString("base64");
const logBytes = () => eventLogBytes(system.events).length;

test("every forgery is found, at its link", async () => {
  for (const [name, [change, link, says]] of Object.entries(FORGERIES)) {
    const [found, message] = await broken(changed(change));
    assert.equal(found, link, `${name}: ${message}`);
    if (typeof says === "string") assert.equal(message, says, name);
    else assert.match(String(message), says, name);
  }
});

test("a quote of another evidence, of another TPM, for another nonce", async () => {
  const newer = await system.quoted((evidence) => ({ ...evidence, madeAt: "2026-01-03T00:00:00.000Z" }));
  assert.deepEqual(await broken({ ...good, quote: newer.evidence.quote }), ["quote", NOT_ABOUT]);
  assert.deepEqual(await broken(good, { nonce: "00" }), ["quote", "it is about another nonce, so it may be old"]);
  await using tpm = await SoftwareTpm.start();
  for (const event of system.events)
    if (event.type !== 3) await tpm.extend(event.register, event.digest ?? sha256(event.data));
  const request = { channel: tpm, nonce: NONCE, eventLog: eventLogBytes(system.events) };
  const { evidence } = await quoteEvidence(system.plain, request);
  assert.deepEqual(await broken(evidence), ["quote", "it is of another TPM: another key signed it"]);
  assert.deepEqual(await broken(evidence, { attestationKey: undefined }), [undefined, undefined]);
});

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();

/** A system whose owner lies: the TPM quotes whatever evidence is made, and the registers say what was booted. */
test("lies of the system itself are found by the registers", async () => {
  const lies: readonly (readonly [string, (evidence: Evidence) => unknown, LinkName, RegExp | string])[] = [
    [
      "another command line",
      (e) => {
        const { uki, sections } = parts(e);
        uki.commandLine = uki.commandLine?.replace("rw", "ro") ?? null;
        const section = sections.find(({ name }) => name === ".cmdline") ?? assert.fail();
        section.sha256 = sha256(Buffer.from(uki.commandLine ?? "")).toString("hex");
      },
      "quote",
      "PCR 11 is that of no UKI of the evidence: something else was booted",
    ],
    [
      "the loader is left out",
      (e) => (e.programs = e.programs.filter(({ role }) => role !== "loader")),
      "quote",
      "the firmware started a program that the evidence does not have",
    ],
    [
      "more keys than the firmware has",
      (e) => {
        const { firmware } = parts(e);
        const more = Buffer.from(authenticatedContent(other.enrolment.db));
        firmware.db = Buffer.concat([Buffer.from(firmware.db, "base64"), more]).toString("base64");
      },
      "quote",
      "the firmware had another db when it started",
    ],
    [
      "another disk",
      (e) => (parts({ ...e, quote: good.quote }).disk.guid = "99999999-2222-3333-4444-555555555555"),
      "disk",
      "the firmware started from another disk",
    ],
    [
      "another partition",
      (e) => ((e.disk?.partitions[0] ?? assert.fail()).guid = "99999999-2222-3333-4444-555555555555"),
      "disk",
      "its partitions are not those of the partition table that was measured",
    ],
  ];
  for (const [name, change, link, says] of lies) {
    const { evidence } = await system.quoted((plain) => {
      const copy = { ...plain, quote: good.quote };
      change(copy);
      return { ...copy, quote: null };
    });
    assert.deepEqual(await broken(evidence), [link, says], name);
  }
  const logs: readonly (readonly [string, readonly WrittenEvent[], RegExp])[] = [
    ["an event gone", system.events.slice(0, -1), /^its log of events does not give PCR 11$/],
    [
      "an event added",
      [...system.events, separator(7), startedProgram(sha256(Buffer.of()))],
      /does not give PCR 4, PCR 7$/,
    ],
    ["events exchanged", system.events.toReversed(), /does not give /],
  ];
  for (const [name, events, says] of logs) {
    const [link, message] = await broken((await system.quoted(undefined, events)).evidence);
    assert.equal(link, "quote", name);
    assert.match(String(message), says, name);
  }
});

test("a machine that started otherwise is found: no Secure Boot, a program besides, another UKI", async () => {
  const started: readonly (readonly [string, (events: WrittenEvent[]) => WrittenEvent[], string])[] = [
    [
      "Secure Boot off",
      (events) =>
        events.map((event, index) =>
          index === 2 ? { ...event, data: Buffer.concat([event.data.subarray(0, -1), Buffer.of(0)]) } : event,
        ),
      "Secure Boot was off: the firmware started anything",
    ],
    [
      "a program besides",
      (events) => [...events, startedProgram(sha256(Buffer.from("rootkit")))],
      "the firmware started a program that the evidence does not have",
    ],
    [
      "no Secure Boot at all",
      (events) => events.filter((_, index) => index !== 2),
      "Secure Boot was off: the firmware started anything",
    ],
    [
      "something else measured as the UKI",
      (events) => [...events, { register: 11, type: 0x0d, data: Buffer.from("more") }],
      "PCR 11 is that of no UKI of the evidence: something else was booted",
    ],
  ];
  for (const [name, change, says] of started) {
    await using machine = await QuotedHost.start(change);
    const { evidence } = await machine.quoted();
    assert.deepEqual(await broken(evidence, { attestationKey: undefined }), ["quote", says], name);
  }
});

test("a hundred random flips of the file: each is refused or broken", async () => {
  const bytes = Buffer.from(evidenceText(good));
  const seed = createHash("sha256");
  for (let count = 0; count < 100; count++) {
    const place = seed.copy().update(String(count)).digest().readUInt32BE(0) % (bytes.length * 8);
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8(flipped.readUInt8(place >> 3) ^ (1 << (place & 7)), place >> 3);
    let evidence: Evidence;
    try {
      evidence = readEvidence(flipped, "os.json");
    } catch (error) {
      assert.equal(error instanceof Error && error.name, "SealrootError", `bit ${place}: ${error}`);
      continue;
    }
    // One kind of space for another says the same.
    if (evidenceText(evidence) === bytes.toString()) continue;
    const { links } = await checkEvidence("os.json", evidence, options);
    assert.ok(firstBroken(links) !== undefined, `bit ${place}`);
  }
});
