/** What is planted on copies of a sealed disk, and the link at which each must be named. */
import { generateKeyPairSync } from "node:crypto";
import { basename, dirname, join } from "node:path";
import type { Signer } from "../../src/cms/index.ts";
import { PARTITION_TYPE } from "../../src/disk/index.ts";
import {
  encodeSignatureLists,
  guidOf,
  IMAGE_SECURITY_DATABASE_VENDOR,
  type SignatureEntry,
  signVariable,
} from "../../src/efi/index.ts";
import { type EnrolmentFiles, generateKeys, loadEnrolment, loadSigner } from "../../src/keys/index.ts";
import { authenticodeDigest, parsePe, signPe, ukiPolicies } from "../../src/pe/index.ts";
import { UNLOCK_PHASES } from "../../src/seal/index.ts";
import {
  formatPcrSignatures,
  type PcrSignatures,
  type PolicySigner,
  policyKeyFingerprint,
  policyKeyPem,
  policySignerOfKey,
  signPolicies,
} from "../../src/tpm/index.ts";
import type { LinkName, LinkState, VerifyOptions } from "../../src/verify/index.ts";
import { loaderImage, peImage } from "../bootloader/pe-fixture.ts";
import { TEST_KEYS, ukiImage } from "../install/sealed-image.ts";
import { temporaryKeys } from "../keys/temporary-keys.ts";
import {
  type FixtureDisk,
  type FixtureDisks,
  type PlantedDisk,
  sealedInitramfs,
  TOOL,
  TOOL_OBJECT,
} from "./fixture-disk.ts";

/** What a case plants with. */
export interface Tools {
  readonly disk: PlantedDisk;
  readonly sealed: FixtureDisk;
  readonly disks: FixtureDisks;
  /** Of the deployment's UKI and entry on the ESP. */
  readonly uki: string;
  readonly entry: string;
}

export interface PlantedBreak {
  /** May return a promise; what it is worth nobody asks. */
  plant(tools: Tools): unknown;
  /** The first broken link; undefined for what is no break. */
  readonly link: LinkName | undefined;
  /** What it says. */
  readonly says?: RegExp;
  /** The path that it names. */
  readonly path?: RegExp;
  readonly expected?: RegExp;
  readonly found?: RegExp;
  /** Of the whole, where nothing is broken. */
  readonly state?: LinkState;
  /** A line that the report must have. */
  readonly line?: RegExp;
  /** With which it is verified. */
  readonly options?: Pick<VerifyOptions, "sbatLevel">;
}

const other = await temporaryKeys("other");
const LOADER = "EFI/BOOT/BOOTX64.EFI";
const OWNER = guidOf("11111111-2222-3333-4444-555555555555");
const NOWHERE = "0".repeat(128);

/** The flags of a file of the disk: extents, with and without fs-verity (spec/boot-chain.md A). */
const NO_VERITY = "0x80000";
/** Where the metadata of the planted object are: after its data, at the next 64 KiB. */
const TREE = Math.ceil(TOOL.length / 65_536) * 65_536;
/** Root, and two leaves: 74 digests of 64 bytes. */
const TREE_BYTES = 3 * 4096;

const OLD_SBAT = { ".sbat": "sbat,1,SBAT Version,sbat,1,https://s\nuki.me,1,me,uki,1,https://m\n" };

const line = (id: string) => `composefs=${id} rw`;

/** A UKI like that of the disk, with another line. */
async function signedUki(text: string, signer: Signer | null = TEST_KEYS.signer, permit = text): Promise<Uint8Array> {
  const uki = ukiImage(NOWHERE, { commandLine: text, initramfs: sealedInitramfs(permit) });
  return signer === null ? uki : await signPe(uki, signer);
}

const policyKey = policySignerOfKey(generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey);
const otherPolicyKey = policySignerOfKey(generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey);

/** As seal signs them. */
async function policies(uki: Uint8Array, signer: PolicySigner): Promise<PcrSignatures> {
  return await signPolicies(ukiPolicies(parsePe(uki), ["sha256"], UNLOCK_PHASES), signer);
}

/** The UKI of the disk with more sections. */
async function plantSections({ disk, uki, sealed }: Tools, sections: Readonly<Record<string, string | Uint8Array>>) {
  const commandLine = line(sealed.deploymentId);
  const initramfs = sealedInitramfs(commandLine);
  disk.writeEsp(uki, await signPe(ukiImage(NOWHERE, { commandLine, initramfs, sections }), TEST_KEYS.signer));
}

/** The same with the key and these signatures. */
async function plantPolicies(tools: Tools, make: (uki: Uint8Array) => Promise<PcrSignatures>): Promise<void> {
  const commandLine = line(tools.sealed.deploymentId);
  const key = { ".pcrpkey": policyKeyPem(policyKey.publicKey) };
  const bare = ukiImage(NOWHERE, { commandLine, initramfs: sealedInitramfs(commandLine), sections: key });
  await plantSections(tools, { ...key, ".pcrsig": formatPcrSignatures(await make(bare)) });
}

async function dbxOf(entries: readonly SignatureEntry[]): Promise<Uint8Array> {
  return await signVariable(
    {
      name: "dbx",
      vendor: IMAGE_SECURITY_DATABASE_VENDOR,
      attributes: 0x27,
      timestamp: new Date("2026-01-02T03:04:05Z"),
      data: encodeSignatureLists(entries),
    },
    TEST_KEYS.signer,
  );
}

/** A disk whose loader and UKI are signed by keys that have expired long ago. */
async function expired(disks: FixtureDisks): Promise<{ readonly signer: Signer; readonly enrolment: EnrolmentFiles }> {
  const directory = join(disks.folder(), "keys");
  const now = new Date("2020-01-02T03:04:05Z");
  await generateKeys(directory, { now, commonName: "expired", days: 10 });
  return { signer: loadSigner(directory), enrolment: await loadEnrolment(directory, now) };
}

function rewriteEntry({ disk, entry }: Tools, change: (text: string) => string): void {
  disk.writeEsp(`loader/entries/${entry}`, change(disk.readEsp(`loader/entries/${entry}`).toString()));
}

/** Of the image object, by its link. */
const imageLink = ({ sealed }: Tools) => `composefs/images/${sealed.deploymentId}`;
const imageObject = ({ sealed }: Tools) =>
  `composefs/objects/${sealed.deploymentId.slice(0, 2)}/${sealed.deploymentId.slice(2)}`;
const state = ({ sealed }: Tools) => `state/deploy/${sealed.deploymentId}`;

const OBJECT_OF_TOOL = /^the object of \/usr\/bin\/tool: /.source;

export const BREAKS: Readonly<Record<string, PlantedBreak>> = {
  nothing: { plant: () => {}, link: undefined, state: "unchecked" },

  // Objects.
  "a byte of an object": {
    plant: ({ disk }) => disk.flipRoot(TOOL_OBJECT, 12_345),
    link: "objects",
    says: new RegExp(
      `${OBJECT_OF_TOOL}its content has another digest: bytes 12288 to 16383 are not those of its Merkle tree$`,
    ),
    path: new RegExp(`^${TOOL_OBJECT}$`),
    expected: /^[0-9a-f]{128}$/,
    found: /^[0-9a-f]{128}$/,
  },
  "the last byte of an object": {
    plant: ({ disk }) => disk.flipRoot(TOOL_OBJECT, TOOL.length - 1),
    link: "objects",
    says: new RegExp(`${OBJECT_OF_TOOL}its content has another digest: bytes 299008 to 299999 `),
  },
  "an object that is gone": {
    plant: ({ disk }) => disk.debugfs(`rm /${TOOL_OBJECT}`),
    link: "objects",
    says: new RegExp(`${OBJECT_OF_TOOL}it is not there$`),
    found: /^nothing$/,
  },
  "a symbolic link in place of an object": {
    plant({ disk }) {
      disk.debugfs(`ln /${TOOL_OBJECT} /copy`, `unlink /${TOOL_OBJECT}`, `symlink /${TOOL_OBJECT} /copy`);
    },
    link: "objects",
    says: new RegExp(`${OBJECT_OF_TOOL}it is a symlink$`),
    expected: /^a regular file$/,
  },
  "a directory in place of an object": {
    plant: ({ disk }) => disk.debugfs(`rm /${TOOL_OBJECT}`, `mkdir /${TOOL_OBJECT}`),
    link: "objects",
    says: new RegExp(`${OBJECT_OF_TOOL}it is a directory$`),
  },
  "a FIFO in place of an object": {
    plant: ({ disk }) =>
      disk.debugfs(`rm /${TOOL_OBJECT}`, `cd /${dirname(TOOL_OBJECT)}`, `mknod ${basename(TOOL_OBJECT)} p`),
    link: "objects",
    says: new RegExp(`${OBJECT_OF_TOOL}it is a fifo$`),
  },
  "fs-verity off for an object": {
    plant: ({ disk }) => disk.debugfs(`sif /${TOOL_OBJECT} flags ${NO_VERITY}`),
    link: "objects",
    says: new RegExp(`${OBJECT_OF_TOOL}fs-verity is off$`),
  },
  "fs-verity off for an object, and a byte of it": {
    plant({ disk }) {
      disk.flipRoot(TOOL_OBJECT, 0);
      disk.debugfs(`sif /${TOOL_OBJECT} flags ${NO_VERITY}`);
    },
    link: "objects",
    says: new RegExp(`${OBJECT_OF_TOOL}its content has another digest$`),
  },
  "a descriptor with another root hash": {
    plant: ({ disk }) => disk.flipRoot(TOOL_OBJECT, TREE + TREE_BYTES + 16),
    link: "objects",
    says: new RegExp(`${OBJECT_OF_TOOL}its fs-verity descriptor has another digest$`),
    expected: /^[0-9a-f]{128}$/,
  },
  "a descriptor of another version": {
    plant: ({ disk }) => disk.flipRoot(TOOL_OBJECT, TREE + TREE_BYTES),
    link: "objects",
    says: new RegExp(`${OBJECT_OF_TOOL}its fs-verity descriptor cannot be read: .*version is 0, not 1$`),
  },
  "a descriptor whose length is wrong": {
    plant: ({ disk }) => disk.flipRoot(TOOL_OBJECT, TREE + TREE_BYTES + 4092),
    link: "objects",
    says: new RegExp(`${OBJECT_OF_TOOL}its fs-verity descriptor has 257 bytes, not 256$`),
  },
  "the root of a Merkle tree": {
    plant: ({ disk }) => disk.flipRoot(TOOL_OBJECT, TREE + 70),
    link: "objects",
    says: new RegExp(`${OBJECT_OF_TOOL}its Merkle tree is damaged at byte 70: reading what is below it fails$`),
  },
  "a leaf of a Merkle tree": {
    plant: ({ disk }) => disk.flipRoot(TOOL_OBJECT, TREE + TREE_BYTES - 4096 + 5),
    link: "objects",
    says: new RegExp(`${OBJECT_OF_TOOL}its Merkle tree is damaged at byte 8197: `),
  },

  // The image.
  "a byte of the image": {
    plant: (tools) => tools.disk.flipRoot(imageObject(tools), 5000),
    link: "image",
    says: /^its content has another digest: bytes 4096 to 8191 are not those of its Merkle tree$/,
    path: /^composefs\/images\/[0-9a-f]{128}$/,
  },
  "the image is gone": {
    plant: (tools) => tools.disk.debugfs(`rm /${imageLink(tools)}`),
    link: "image",
    says: /^the image that the command line names is not there$/,
    found: /^nothing$/,
  },
  "the image's link leads to another object": {
    plant(tools) {
      const target = TOOL_OBJECT.replace("composefs", "..");
      tools.disk.debugfs(`rm /${imageLink(tools)}`, `symlink /${imageLink(tools)} ${target}`);
    },
    link: "image",
    says: /^its content has another digest/,
  },
  "the image's link leads out of the repository": {
    plant(tools) {
      tools.disk.debugfs(`rm /${imageLink(tools)}`, `symlink /${imageLink(tools)} /${imageObject(tools)}`);
    },
    link: "image",
    says: /^the image that the command line names is not there$/,
  },
  "fs-verity off for the image": {
    plant: (tools) => tools.disk.debugfs(`sif /${imageObject(tools)} flags ${NO_VERITY}`),
    link: "image",
    says: /^fs-verity is off$/,
  },
  "a second image, for older programs, that is not there": {
    async plant({ disk, uki, sealed: { deploymentId } }) {
      const text = `composefs.digest=v1-sha512-12:${deploymentId} composefs=${NOWHERE} rw`;
      disk.writeEsp(uki, await signedUki(text));
    },
    link: "image",
    says: /^the second image that the command line names is not there$/,
    expected: new RegExp(`^${NOWHERE}$`),
  },
  "a fallback entry whose image is not there": {
    async plant({ disk }) {
      disk.writeEsp(`EFI/Linux/bootc/bootc_composefs-${NOWHERE}.efi`, await signedUki(line(NOWHERE)));
      disk.writeEsp(
        "loader/entries/bootc_testos-0.9-0.conf",
        `title Test\nversion 0.9\nefi /EFI/Linux/bootc/bootc_composefs-${NOWHERE}.efi\nsort-key bootc-testos-1\n`,
      );
    },
    link: "image",
    says: /^the image that the command line names is not there$/,
    path: new RegExp(`^composefs/images/${NOWHERE}$`),
  },

  // The UKI.
  "a byte of the command line in the UKI": {
    plant: ({ disk, uki, sealed }) => disk.flipEsp(uki, disk.readEsp(uki).indexOf(sealed.deploymentId) + 3),
    link: "uki",
    says: /^Cannot use the UKI: firmware with the keys in auto\/ refuses it, as .*its digest is not the one that was signed$/,
  },
  "a byte of the signature of the UKI": {
    plant: ({ disk, uki }) => disk.flipEsp(uki, disk.readEsp(uki).length - 100),
    link: "uki",
    says: /the signature does not match the key of "CN=test db"$/,
  },
  "a UKI signed by another key": {
    async plant({ disk, uki, sealed }) {
      disk.writeEsp(uki, await signedUki(line(sealed.deploymentId), other.signer));
    },
    link: "uki",
    says: /its certificate "CN=other db" is neither trusted nor issued by a trusted one$/,
    expected: /^CN=test db$/,
    found: /^CN=other db/,
  },
  "a UKI without signature": {
    async plant({ disk, uki, sealed }) {
      disk.writeEsp(uki, await signedUki(line(sealed.deploymentId), null));
    },
    link: "uki",
    says: /refuses it, as it is not signed$/,
  },
  "the UKI of another deployment in its place": {
    async plant({ disk, uki }) {
      disk.writeEsp(uki, await signedUki(line(NOWHERE)));
    },
    link: "uki",
    says: /^it is the UKI of another deployment$/,
    found: new RegExp(`^${NOWHERE}$`),
  },
  "a UKI that the ESP has only half of": {
    plant({ disk, uki }) {
      const bytes = disk.readEsp(uki);
      disk.writeEsp(uki, bytes.subarray(0, bytes.length >> 1));
    },
    link: "uki",
  },
  "a UKI of no bytes": {
    plant: ({ disk, uki }) => disk.writeEsp(uki, ""),
    link: "uki",
  },
  "the digest of the UKI in dbx": {
    async plant({ disk, uki }) {
      const data = authenticodeDigest(parsePe(disk.readEsp(uki)));
      disk.writeEsp("loader/keys/auto/dbx.auth", await dbxOf([{ type: "sha256", owner: OWNER, data }]));
    },
    link: "uki",
    says: /its digest is in dbx$/,
  },

  "a UKI older than the level of SBAT": {
    async plant(tools) {
      await plantSections(tools, OLD_SBAT);
    },
    link: "uki",
    says: /^the level of SBAT revokes the UKI: its uki\.me is too old$/,
    expected: /^uki\.me,2 or later$/,
    found: /^uki\.me,1$/,
    options: { sbatLevel: { date: "2026113000", entries: [{ component: "uki.me", generation: 2 }] } },
  },

  // Policies of PCR 11.
  "policies that its key signed for it": {
    async plant(tools) {
      await plantPolicies(tools, (uki) => policies(uki, policyKey));
    },
    link: undefined,
    state: "unchecked",
    line: /^ +its policies in the sha256 bank, by key [0-9a-f]{12}…, hold at enter-initrd, enter-initrd:leave-initrd$/m,
  },
  "policies of another UKI": {
    async plant(tools) {
      await plantPolicies(tools, () => policies(ukiImage(NOWHERE), policyKey));
    },
    link: "uki",
    says: /^its policies in the sha256 bank are of another UKI: what is bound to its key stays shut$/,
    path: /^EFI\/Linux\/bootc\/bootc_composefs-[0-9a-f]{128}\.efi$/,
    expected: /^[0-9a-f]{64}$/,
    found: /^[0-9a-f]{64}$/,
  },
  "policies by another key": {
    async plant(tools) {
      await plantPolicies(tools, (uki) => policies(uki, otherPolicyKey));
    },
    link: "uki",
    says: /^no policy in the sha256 bank is by the key of the UKI: /,
    expected: new RegExp(`^key ${policyKeyFingerprint(policyKey.publicKey)}$`),
    found: new RegExp(`^key ${policyKeyFingerprint(otherPolicyKey.publicKey)}$`),
  },
  "a policy that another key signed in the name of its own": {
    async plant(tools) {
      const pkfp = policyKeyFingerprint(policyKey.publicKey);
      await plantPolicies(tools, async (uki) => {
        const { sha256 = [] } = await policies(uki, otherPolicyKey);
        return { sha256: sha256.map((entry) => ({ ...entry, pkfp })) };
      });
    },
    link: "uki",
    says: /^the signature of a policy in the sha256 bank is not by the key of the UKI: the TPM refuses it$/,
    expected: /^a signature by [0-9a-f]{64} of [0-9a-f]{64}$/,
  },
  "policies that are no JSON": {
    async plant(tools) {
      await plantSections(tools, { ".pcrpkey": policyKeyPem(policyKey.publicKey), ".pcrsig": "{" });
    },
    link: "uki",
    says: /^Cannot read section \.pcrsig: it is no JSON$/,
  },
  "a key for policies, and no policy": {
    async plant(tools) {
      await plantSections(tools, { ".pcrpkey": policyKeyPem(policyKey.publicKey) });
    },
    link: undefined,
    state: "weaker",
    line: /^ +weaker: it has a key for policies of PCR 11 and none that the key signed: /m,
  },
  "policies, and no key for them": {
    async plant(tools) {
      await plantSections(tools, { ".pcrsig": formatPcrSignatures(await policies(ukiImage(NOWHERE), policyKey)) });
    },
    link: undefined,
    state: "unchecked",
    line: /^ +unchecked: it has signed policies of PCR 11, and not the key that signed them$/m,
  },

  // The command line.
  "two times composefs=": {
    async plant({ disk, uki, sealed }) {
      const text = `${line(sealed.deploymentId)} ${line(sealed.deploymentId)}`;
      disk.writeEsp(uki, await signedUki(text));
    },
    link: "command-line",
    says: /^Cannot choose the root image: 2 times composefs= on the kernel command line, at most 1 expected$/,
  },
  "composefs=?, which every machine accepts": {
    async plant({ disk, uki, sealed }) {
      disk.writeEsp(uki, await signedUki(`composefs=?${sealed.deploymentId} rw`));
    },
    link: undefined,
    state: "weaker",
    line: /^ +weaker: it accepts an image without fs-verity \("\?"\): who writes the disk decides what runs$/m,
  },
  "no composefs=": {
    async plant({ disk, uki, sealed }) {
      disk.writeEsp(uki, await signedUki("rw", TEST_KEYS.signer, line(sealed.deploymentId)));
    },
    link: "command-line",
    says: /^it names no image$/,
    found: /^rw$/,
  },
  "init= in the signed command line": {
    async plant({ disk, uki, sealed }) {
      disk.writeEsp(uki, await signedUki(`${line(sealed.deploymentId)} init=/bin/sh`));
    },
    link: "command-line",
    says: /"init" is decided by the seal$/,
    found: /^init=\/bin\/sh$/,
  },
  "a permit for another image": {
    async plant({ disk, uki, sealed }) {
      disk.writeEsp(uki, await signedUki(line(sealed.deploymentId), TEST_KEYS.signer, line(NOWHERE)));
    },
    link: "initramfs",
    says: /names one that the sealed initramfs does not permit$/,
  },

  // Add-ons.
  "init= by a signed add-on": {
    async plant({ disk, uki }) {
      const addon = await signPe(peImage({ ".text": "addon", ".cmdline": "init=/bin/sh" }), TEST_KEYS.signer);
      disk.writeEsp(`${uki}.extra.d/shell.addon.efi`, addon);
    },
    link: "add-ons",
    says: /^Cannot use the command line of the add-on: "init" is decided by the seal$/,
    path: /\.extra\.d\/shell\.addon\.efi$/,
  },
  "another image by a signed global add-on": {
    async plant({ disk }) {
      const addon = peImage({ ".text": "addon", ".cmdline": line(NOWHERE) });
      disk.writeEsp("loader/addons/all.addon.efi", await signPe(addon, TEST_KEYS.signer));
    },
    link: "add-ons",
    says: /"composefs" is decided by the seal$/,
    path: /^loader\/addons\/all\.addon\.efi$/,
  },
  "an add-on without signature": {
    plant: ({ disk, uki }) => disk.writeEsp(`${uki}.extra.d/debug.addon.efi`, peImage({ ".cmdline": "debug" })),
    link: "add-ons",
    says: /refuses it, as it is not signed$/,
  },
  "a harmless add-on that is signed": {
    async plant({ disk, uki }) {
      disk.writeEsp(`${uki}.extra.d/debug.addon.efi`, await signPe(peImage({ ".cmdline": "debug" }), TEST_KEYS.signer));
    },
    link: undefined,
    state: "unchecked",
    line: /^ +it adds: debug$/m,
  },

  // Loader and keys.
  "a loader without signature": {
    plant: ({ disk }) => disk.writeEsp(LOADER, loaderImage("257.13-1")),
    link: "loader",
    says: /^Cannot use the boot loader: .* refuses it, as it is not signed$/,
    path: /^EFI\/BOOT\/BOOTX64\.EFI$/,
  },
  "a byte of the loader": {
    plant: ({ disk }) => disk.flipEsp(LOADER, 1100),
    link: "loader",
    says: /its digest is not the one that was signed$/,
  },
  "another loader where bootctl puts it": {
    async plant({ disk }) {
      disk.writeEsp("EFI/systemd/systemd-bootx64.efi", await signPe(loaderImage("257.13-1"), other.signer));
    },
    link: "loader",
    path: /^EFI\/systemd\/systemd-bootx64\.efi$/,
  },
  "no loader": {
    plant({ disk }) {
      disk.removeEsp(LOADER);
      disk.removeEsp("EFI/systemd/systemd-bootx64.efi");
    },
    link: "loader",
    says: /^the ESP has none$/,
  },
  "a db that lacks the key": {
    plant({ disk }) {
      for (const name of ["PK", "KEK", "db"] as const)
        disk.writeEsp(`loader/keys/auto/${name}.auth`, other.enrolment[name]);
    },
    link: "loader",
    says: /its certificate "CN=test db" is neither trusted nor issued by a trusted one$/,
  },
  "an enrolment file that is none": {
    plant: ({ disk }) => disk.writeEsp("loader/keys/auto/db.auth", "db".repeat(50)),
    link: "keys",
    says: /^Cannot use the enrolment file auto\/db\.auth: /,
  },
  "a platform key that is none": {
    plant: ({ disk }) => disk.writeEsp("loader/keys/auto/PK.auth", "PK".repeat(50)),
    link: "keys",
    path: /^loader\/keys\/auto\/PK\.auth$/,
  },
  "an enrolment file that is gone": {
    plant: ({ disk }) => disk.removeEsp("loader/keys/auto/KEK.auth"),
    link: "keys",
    says: /^the folder auto lacks KEK\.auth: the boot loader enrols nothing from it$/,
  },
  "keys that have expired, which firmware ignores": {
    async plant({ disk, disks, uki, sealed }) {
      const { signer, enrolment } = await expired(disks);
      for (const name of ["PK", "KEK", "db"] as const) disk.writeEsp(`loader/keys/auto/${name}.auth`, enrolment[name]);
      const loader = await signPe(loaderImage("257.13-1"), signer);
      for (const path of [LOADER, "EFI/systemd/systemd-bootx64.efi"]) disk.writeEsp(path, loader);
      disk.writeEsp(uki, await signedUki(line(sealed.deploymentId), signer));
    },
    link: undefined,
    state: "unchecked",
    line: /^ +the certificate of CN=expired db has expired, which firmware ignores$/m,
  },
  "no keys, and nothing signed": {
    async plant({ disk, uki, sealed }) {
      for (const name of ["PK", "KEK", "db"]) disk.removeEsp(`loader/keys/auto/${name}.auth`);
      disk.writeEsp(LOADER, loaderImage("257.13-1"));
      disk.writeEsp(uki, await signedUki(line(sealed.deploymentId), null));
    },
    link: undefined,
    state: "weaker",
    line: /^ +weaker: the UKI is not signed: firmware with Secure Boot refuses it$/m,
  },

  // Entries.
  "an entry that names a UKI that is not there": {
    plant: (tools) => rewriteEntry(tools, (text) => text.replace(tools.sealed.deploymentId, NOWHERE)),
    link: "entry",
    says: /^the UKI that it names is not on the ESP$/,
    expected: new RegExp(`${NOWHERE}\\.efi$`),
  },
  "an entry that names another file": {
    async plant(tools) {
      tools.disk.writeEsp("EFI/tools/shell.efi", await signPe(peImage({ ".text": "shell" }), TEST_KEYS.signer));
      rewriteEntry(tools, (text) => text.replace(/^efi .*$/m, "efi /EFI/tools/shell.efi"));
    },
    link: "entry",
    says: /^it starts something that is no deployment$/,
    found: /^\/EFI\/tools\/shell\.efi$/,
  },
  "an entry of a kernel and a command line": {
    plant({ disk, entry, sealed }) {
      const text = `title T\nversion 1\nlinux /vmlinuz\ninitrd /initrd\noptions ${line(sealed.deploymentId)}\n`;
      disk.writeEsp(`loader/entries/${entry}`, text);
    },
    link: "entry",
    says: /^kernel, initramfs and command line are not in a UKI, so nothing vouches for the root$/,
  },
  "an entry that this loader does not understand": {
    plant: (tools) => rewriteEntry(tools, (text) => text.replace(/^efi /m, "uki ")),
    link: "entry",
    says: /^systemd-boot 257 does not know the key "uki" and drops the entry$/,
  },
  "a UKI in the place of the loader, which needs no entry": {
    plant({ disk, uki, entry }) {
      disk.writeEsp(LOADER, disk.readEsp(uki));
      disk.removeEsp("EFI/systemd/systemd-bootx64.efi");
      disk.removeEsp(`loader/entries/${entry}`);
    },
    link: undefined,
    state: "unchecked",
    line: /^ +the firmware starts the UKI itself$/m,
  },
  "a UKI in the place of the loader whose image is not there": {
    async plant({ disk }) {
      disk.writeEsp(LOADER, await signedUki(line(NOWHERE)));
    },
    link: "image",
    path: new RegExp(`^composefs/images/${NOWHERE}$`),
  },
  "no entry": {
    plant: ({ disk, entry }) => disk.removeEsp(`loader/entries/${entry}`),
    link: "entry",
    says: /^no boot entry is there that could be followed$/,
  },
  "an entry with options, which Secure Boot ignores": {
    plant: (tools) => rewriteEntry(tools, (text) => `${text}options init=/bin/sh\n`),
    link: undefined,
    state: "unchecked",
    line: /^ {2}loader\/entries\/.*\.conf: nothing with Secure Boot; without it, "init=\/bin\/sh" is in place of the signed command line$/m,
  },
  "a UKI by somebody else in the menu": {
    async plant({ disk }) {
      disk.writeEsp("EFI/Linux/evil.efi", await signedUki(line(NOWHERE), other.signer));
    },
    link: undefined,
    state: "unchecked",
    line: /^ {2}EFI\/Linux\/evil\.efi: the menu offers it; the firmware refuses it$/m,
  },
  "credentials and extensions on the ESP, which this initramfs does not take": {
    plant({ disk, uki }) {
      disk.writeEsp(`${uki}.extra.d/evil.cred`, "unit");
      disk.writeEsp(`${uki}.extra.d/evil.sysext.raw`, "image");
      disk.writeEsp("loader/credentials/all.cred", "unit");
    },
    link: undefined,
    state: "unchecked",
    line: /^ {2}loader\/credentials\/all\.cred: nothing: its initramfs takes no credentials$/m,
  },
  "credentials on the ESP, which systemd in the initramfs takes": {
    async plant({ disk, uki, sealed }) {
      const text = line(sealed.deploymentId);
      const initramfs = sealedInitramfs(text, { "usr/lib/systemd/systemd": "systemd" });
      disk.writeEsp(uki, await signPe(ukiImage(NOWHERE, { commandLine: text, initramfs }), TEST_KEYS.signer));
      disk.writeEsp("loader/credentials/all.cred", "unit");
    },
    link: undefined,
    // Its initramfs is not the one that the origin file knows.
    state: "weaker",
    line: /^ {2}loader\/credentials\/all\.cred: settings of services, and units that run as root$/m,
  },

  // The disk, and the state.
  "a directory of objects with a name that no file can have": {
    plant: ({ disk }) => disk.debugfs(`cd /${dirname(TOOL_OBJECT)}`, "mknod a/b p"),
    link: "objects",
    says: new RegExp(
      `${OBJECT_OF_TOOL}Cannot read the root file system: a directory has a name that no file can have$`,
    ),
  },
  "a directory of the root with a name that no file can have": {
    plant: ({ disk }) => disk.debugfs("mknod a/b p"),
    link: "image",
    says: /^Cannot read the root file system: a directory has a name that no file can have$/,
  },
  "a second root partition": {
    plant: ({ disk }) => disk.setPartitionType(1, PARTITION_TYPE.rootX8664),
    link: "disk",
    says: /it has several root partitions$/,
  },
  "a second ESP": {
    plant: ({ disk }) => disk.setPartitionType(1, PARTITION_TYPE.efiSystem),
    link: "disk",
  },
  "a partition for more boot entries": {
    plant: ({ disk }) => disk.setPartitionType(1, "bc13c2ff-59e6-4262-a352-b275fd6f7172"),
    link: undefined,
    state: "weaker",
    line: /^ +weaker: partition 1 is for more boot entries \(XBOOTLDR\), which are not looked at$/m,
  },
  "no ESP": {
    plant: ({ disk }) => disk.setPartitionType(2, "0fc63daf-8483-4772-8e79-3d69d8477de4"),
    link: "disk",
    says: /^it has no EFI system partition$/,
  },
  "a byte of the partition table": {
    plant: ({ disk }) => disk.flip(1024 + 20),
    link: "disk",
    says: /the checksum of the entries is wrong$/,
  },
  "a root file system that was not unmounted": {
    plant: ({ disk }) => disk.debugfs("ssv state 0"),
    link: "disk",
    says: /^its root file system is not clean, so the kernel will read something else: it was not unmounted$/,
  },
  "an origin file that is gone": {
    plant: (tools) => tools.disk.debugfs(`rm /${state(tools)}/${tools.sealed.deploymentId}.origin`),
    link: "state",
    says: /^its origin file is not there$/,
  },
  "a /var that leads elsewhere": {
    plant: (tools) => tools.disk.debugfs(`rm /${state(tools)}/var`, `symlink /${state(tools)}/var /`),
    link: "state",
    says: /^its \/var leads elsewhere$/,
    found: /^a link to \/$/,
  },
  "an /etc that is a link": {
    plant(tools) {
      tools.disk.debugfs(
        `ln /${state(tools)}/etc /elsewhere`,
        `unlink /${state(tools)}/etc`,
        `symlink /${state(tools)}/etc /elsewhere`,
      );
    },
    link: "state",
    says: /^its \/etc is not there$/,
    found: /^symlink$/,
  },
};
