const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is a file, not a folder',
  EACCES: 'this user has no permission',
  EPERM: 'this user has no permission',
  EROFS: 'its disk cannot be written',
  ENOSPC: 'the disk is full; free some space',
  EDQUOT: 'this user may use no more of the disk; free some space',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'its name is too long',
}

/** Why the system refused a file, in words: its own message where it is no known one. Says nothing of which file. */
export function systemWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return WORDS[(error as NodeJS.ErrnoException).code ?? ''] ?? error.message
}
