import { Pool } from 'undici'

// Return what gets JSON from the upstream, over connections that are kept.
export function pooled (upstream) {
  const pool = new Pool(upstream, { connections: Number(process.env.BENCH_CONNECTIONS ?? 64) })
  return async (path, authorization) => {
    const { statusCode, body } = await pool.request({ path, method: 'GET', headers: { authorization } })
    if (statusCode !== 200) {
      await body.dump()
      throw new Error(`upstream answered ${statusCode}`)
    }
    return body.json()
  }
}
