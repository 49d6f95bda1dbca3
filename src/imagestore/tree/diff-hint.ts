/** What to run when an image does not have the digest that it should have. */

/** Words that a shell takes as they are. */
const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

/**
 * The command that shows why, as a hint begins.
 *
 * @param id that something expects
 * @param reference of the image whose layers make another
 */
export function diffHint(id: string, reference: string): string {
  const word = PLAIN_WORD.test(reference) ? reference : `'${reference.replaceAll("'", "'\\''")}'`;
  return `to see what was changed: sealroot diff ${id} ${word}`;
}
