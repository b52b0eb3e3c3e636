export { makeFolder } from './make-folder.ts'
export { replaceFile } from './replace-file.ts'
export { writeFileAtomically } from './write-file-atomically.ts'
