export const entries: Readonly<Record<string, string>>
export const outputs: Record<string, string>
export const specifiers: Readonly<Record<string, string>>
export function differences(): string[]
