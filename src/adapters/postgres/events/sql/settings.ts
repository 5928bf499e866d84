/**
 * Of a function while it runs: no search_path of the user's takes part; a plan is made once, not for each list anew; and it goes by the indexes,
 * also where it was made while the tables were empty.
 */
export const SETTINGS =
  'set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off'
