/** Images with signatures for the tests of the policy: the vector `cosign-key`, and signatures made on the spot. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Descriptor,
  digestOf,
  documentBytes,
  layoutSignatures,
  MEDIA_TYPE,
  nameOfReference,
  OciLayout,
  type OpenedPlace,
  parseReference,
  type SignatureStore,
  type StoredManifest,
} from "../../src/oci/index.ts";
import { type PolicySubject, parsePolicy } from "../../src/policy/index.ts";
import { unpack } from "../imagestore/vectors.ts";

const ARCHIVE = new URL("../vectors/oci/cosign-key.tar.gz", import.meta.url).pathname;

/** As the vectors' README says. */
export const SIGNED_IMAGE = "sha256:54305d6e6158de9bded2d687f3b4683212d9c6c3b3704bebb699de8e553d0eae";
export const SIGNED_REPOSITORY = "registry.example.com/t/sig";

export interface Fixture {
  readonly directory: string;
  /** The key that signed. */
  readonly key: string;
  readonly otherKey: string;
  readonly store: SignatureStore;
  readonly manifest: { readonly digest: string; readonly bytes: Uint8Array };
}

/** Unpacks the vector, and hides this machine's registries.d from the test. */
export async function openFixture(scratch: string): Promise<Fixture> {
  mkdirSync(join(scratch, "config/containers/registries.d"), { recursive: true });
  process.env.XDG_CONFIG_HOME = join(scratch, "config");
  const directory = await unpack(ARCHIVE, scratch, "cosign-key");
  const layout = await OciLayout.open(directory);
  return {
    directory,
    key: join(directory, "cosign.pub"),
    otherKey: join(directory, "other.pub"),
    store: layoutSignatures(await layout.readIndex(), layout.blobs),
    manifest: { digest: SIGNED_IMAGE, bytes: readFileSync(layout.blobs.pathOf(SIGNED_IMAGE)) },
  };
}

/** The subject that a pull of `reference` would be. */
export function subjectOf(
  reference: string,
  { manifest, store }: { readonly manifest: PolicySubject["manifest"]; readonly store: SignatureStore | undefined },
  indexes: readonly PolicySubject["manifest"][] = [],
): PolicySubject {
  return {
    reference: parseReference(reference),
    place: placeOf(reference),
    manifest,
    indexDigests: indexes.map(({ digest }) => digest),
    indexes: async () => indexes,
    signatures: store,
  };
}

/** What opening the reference would find, with the path as it is. */
export function placeOf(text: string): OpenedPlace {
  const reference = parseReference(text);
  switch (reference.transport) {
    case "docker":
      return { transport: "docker", name: nameOfReference(reference) };
    case "docker-archive":
      return { transport: "docker-archive" };
    case "containers-storage":
      throw new Error("the test opens no store");
    default:
      return { transport: reference.transport, path: reference.path };
  }
}

/** A policy whose default is this list. */
export function policyOf(...requirements: readonly object[]) {
  return parsePolicy(Buffer.from(JSON.stringify({ default: requirements })), "policy.json");
}

/** A file with the PEM of a public key. */
export function writePublicKey(directory: string, name: string, key: KeyObject): string {
  const path = join(directory, name);
  writeFileSync(path, key.export({ format: "pem", type: "spki" }));
  return path;
}

export function newKeys(): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

/** What cosign signs. */
export function payloadOf(digest: string, dockerReference: string): Buffer {
  const critical = {
    identity: { "docker-reference": dockerReference },
    image: { "docker-manifest-digest": digest },
    type: "cosign container image signature",
  };
  return Buffer.from(JSON.stringify({ critical, optional: null }));
}

/** A registry's repository in memory, with signatures as cosign puts them there. */
export class TestStore implements SignatureStore {
  readonly #tags = new Map<string, StoredManifest>();
  readonly #blobs = new Map<string, Uint8Array>();
  readonly #referrers = new Map<string, Descriptor[]>();
  readonly blobs = { readWhole: async ({ digest }: { digest: string }) => this.#blob(digest) };

  async fetchTagged(tag: string): Promise<StoredManifest | undefined> {
    return this.#tags.get(tag);
  }

  async fetchManifest({ digest, mediaType }: Descriptor): Promise<StoredManifest> {
    return { mediaType, bytes: this.#blob(digest) };
  }

  async listReferrers(digest: string): Promise<readonly Descriptor[]> {
    return this.#referrers.get(digest) ?? [];
  }

  putTag(tag: string, mediaType: string, document: object): void {
    this.#tags.set(tag, { mediaType, bytes: documentBytes(document) });
  }

  put(bytes: Uint8Array, mediaType: string): Descriptor {
    const digest = digestOf(bytes);
    this.#blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  /** Signatures of the tag scheme: a payload each, and the annotations of its layer. */
  putSignatures(digest: string, signatures: readonly { payload: Uint8Array; annotations: Record<string, string> }[]) {
    const layers = signatures.map(({ payload, annotations }) => {
      return { ...this.put(payload, "application/vnd.dev.cosign.simplesigning.v1+json"), annotations };
    });
    const config = this.put(Buffer.from("{}"), MEDIA_TYPE.config);
    const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, config, layers };
    this.putTag(`${digest.replace(":", "-")}.sig`, MEDIA_TYPE.manifest, manifest);
  }

  /** A bundle that refers to the manifest with `digest`; `subject` is what its manifest says. */
  putBundle(digest: string, bundle: Uint8Array, subject = digest): void {
    const artifactType = "application/vnd.dev.sigstore.bundle.v0.3+json";
    const manifest = {
      ...{ schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, artifactType },
      config: this.put(Buffer.from("{}"), MEDIA_TYPE.emptyConfig),
      layers: [this.put(bundle, artifactType)],
      subject: { mediaType: MEDIA_TYPE.manifest, digest: subject, size: 1 },
    };
    const descriptor = { ...this.put(documentBytes(manifest), MEDIA_TYPE.manifest), artifactType };
    this.#referrers.set(digest, [...(this.#referrers.get(digest) ?? []), descriptor]);
  }

  #blob(digest: string): Uint8Array {
    const bytes = this.#blobs.get(digest);
    if (bytes === undefined) throw new Error(`the test has no blob ${digest}`);
    return bytes;
  }
}

/** The annotations of a signature by key. */
export function signedWith(key: KeyObject, payload: Uint8Array): Record<string, string> {
  const algorithm = key.asymmetricKeyType === "ed25519" ? null : "sha256";
  return { "dev.cosignproject.cosign/signature": sign(algorithm, payload, key).toString("base64") };
}

/** A store with one signature of `digest` under `dockerReference`. */
export function storeWithSignature(key: KeyObject, digest: string, dockerReference: string): TestStore {
  const store = new TestStore();
  const payload = payloadOf(digest, dockerReference);
  store.putSignatures(digest, [{ payload, annotations: signedWith(key, payload) }]);
  return store;
}

/** A statement of cosign about an image, in an envelope that `key` signed. */
export function bundleOf(key: KeyObject, statement: object, material: object): Buffer {
  const [payloadType, payload] = ["application/vnd.in-toto+json", Buffer.from(JSON.stringify(statement))];
  const signed = Buffer.concat([
    Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `),
    payload,
  ]);
  const sig = sign("sha256", signed, key).toString("base64");
  return documentBytes({
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: material,
    dsseEnvelope: { payload: payload.toString("base64"), payloadType, signatures: [{ sig }] },
  }) as Buffer;
}

export function statementOf(digest: string): Record<string, unknown> {
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ digest: { sha256: digest.slice("sha256:".length) }, annotations: {} }],
    predicateType: "https://sigstore.dev/cosign/sign/v1",
    predicate: {},
  };
}

export function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
