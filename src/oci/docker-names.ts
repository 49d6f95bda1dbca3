/** Names of images in full, as Docker and podman keep them in archives, stores and signatures. */

/**
 * The name in full: `debian` is `docker.io/library/debian:latest` (distribution/reference, "normalized named"). A digest
 * behind `@` stays, and keeps `:latest` away.
 */
export function fullImageName(name: string): string {
  const [named = "", digest] = name.split("@", 2);
  const full = expandRepository(named);
  if (digest !== undefined) return `${full}@${digest}`;
  return full.includes(":", full.indexOf("/")) ? full : `${full}:latest`;
}

/**
 * The repository in full, with whatever follows it: a first part without a dot, a colon or upper case that is not
 * `localhost` is no host, and the host is then docker.io, where a single part is under `library/`.
 */
export function expandRepository(text: string): string {
  const slash = text.indexOf("/");
  const first = slash === -1 ? "" : text.slice(0, slash);
  const isHost = /[.:A-Z]/.test(first) || first === "localhost";
  if (!isHost) return `docker.io/${slash === -1 ? "library/" : ""}${text}`;
  const host = first === "index.docker.io" ? "docker.io" : first;
  const path = text.slice(slash + 1);
  return host === "docker.io" && !path.includes("/") ? `docker.io/library/${path}` : `${host}/${path}`;
}

/** The name without tag and digest: `docker.io/library/debian`. */
export function repositoryOfName(fullName: string): string {
  const name = fullName.replace(/@.*$/s, "");
  const colon = name.lastIndexOf(":");
  return colon > name.lastIndexOf("/") ? name.slice(0, colon) : name;
}
