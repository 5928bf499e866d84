// The hosts of README's examples do not exist.
globalThis.fetch = async () => Response.json({ ok: true })
