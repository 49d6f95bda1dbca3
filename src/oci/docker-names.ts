/** Full names of images, as Docker and podman keep them in archives, stores and signatures. */

/**
 * The full name: `debian` is `docker.io/library/debian:latest` (distribution/reference, "normalized named"). A digest
 * after `@` stays, and no `:latest` is added then.
 */
export function fullImageName(name: string): string {
  const [named = "", digest] = name.split("@", 2);
  const full = expandRepository(named);
  if (digest !== undefined) return `${full}@${digest}`;
  return full.includes(":", full.indexOf("/")) ? full : `${full}:latest`;
}

/**
 * The full repository, with whatever follows it: a first part without a dot, a colon or upper case that is not
 * `localhost` is not a host, so the host is docker.io, where a single part is under `library/`.
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
