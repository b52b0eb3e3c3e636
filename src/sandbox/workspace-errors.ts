const words = {
  ENOENT: 'no such file or directory',
  EEXIST: 'file already exists',
  ENOTDIR: 'not a directory',
  EISDIR: 'illegal operation on a directory',
  ENOTEMPTY: 'directory not empty',
  ELOOP: 'too many symbolic links',
  EINVAL: 'invalid argument',
  EPERM: 'operation not permitted',
  ENOSPC: 'no space left in the workspace',
}

/** An error as Node's file system throws it, which just-bash and isomorphic-git look at by its code. */
export function fileError(code: keyof typeof words, action: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${words[code]}, ${action} '${path}'`), {
    code,
    syscall: action,
    path,
  })
}
