/** A worker's answers about many things at once. */

/**
 * Pairs questions with their answers. @throws Error unless there is one answer for each: what nobody has checked must
 * not count as good
 */
export function answersTo<Asked, Answer>(
  asked: readonly Asked[],
  answers: readonly Answer[],
): (readonly [asked: Asked, answer: Answer])[] {
  if (answers.length !== asked.length) {
    throw new Error(`Cannot use a worker's answer: it is about ${answers.length} things, not about ${asked.length}`);
  }
  // There are as many answers, and one may be undefined.
  return asked.map((thing, index) => [thing, answers[index] as Answer]);
}
