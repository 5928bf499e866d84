import fc from 'fast-check'

// The same properties are tried on every machine, so that what is red here is red everywhere. HOLDFAST_SEED=random looks further, and a
// number repeats what it found.
const asked = process.env.HOLDFAST_SEED ?? '20261123'
if (asked !== 'random') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(asked) })
