export { type MemoryStorage, type MemoryStorageOptions, memoryStorage } from './storage.ts'
export { type MemoryStore, memoryStore } from './store.ts'
export { type MemoryTransportOptions, memoryTransport } from './transport.ts'
