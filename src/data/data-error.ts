/** Input that cannot be used. The message says where it is, what is wrong and how to mend it. */
export class DataError extends Error {
  override name = 'DataError'
}
