/** One object per process and name, shared by the ESM and the CommonJS copy of the package. */
export function singleton<T extends object>(name: string, make: () => T): T {
  const key = Symbol.for(`holdfast/${name}`)
  const registry = globalThis as { [key: symbol]: unknown }
  registry[key] ??= make()
  return registry[key] as T
}
