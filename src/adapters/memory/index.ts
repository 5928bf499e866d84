export { type MemoryStorageOptions, memoryStorage } from './storage.ts'
export { type MemoryStore, memoryStore } from './store.ts'
