export { makeFolder } from './make-folder.ts'
export { replaceFile } from './replace-file.ts'
export { sync } from './sync.ts'
export { writeFileAtomically } from './write-file-atomically.ts'
