export { makeFolder } from './make-folder.ts'
export { writeFileAtomically } from './write-file-atomically.ts'
