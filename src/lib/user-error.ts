/**
 * The base of errors that a person can put right. Their `message` is one line that says what is wrong and what would be right; it is shown
 * without a stack.
 */
export class UserError extends Error {
  override name = 'UserError';
}
