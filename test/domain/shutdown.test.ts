/** How a guest is asked to go: with domains that go, or do not, by one of the two ways. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ShutdownMode, type StoppedDomain, shutDown } from '../../src/domain/shutdown.ts'

interface Guest extends StoppedDomain {
  readonly asked: string[]
}

/** @param obeys the way by which it goes off; an agent that is not obeyed never answers. */
function guest(agent: 'connected' | 'disconnected' | 'none', obeys: ShutdownMode | 'nothing'): Guest {
  let active = true
  const asked: string[] = []
  const channel =
    agent === 'none'
      ? ''
      : `<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' state='${agent}'/></channel>`
  const domain: Pick<Guest, 'name' | 'asked'> & Record<string, unknown> = {
    name: 'demo',
    asked,
    getXMLDesc: async () => `<domain><devices>${channel}</devices></domain>`,
    isActive: async () => active,
    shutdown: async ({ flags: [flag = 'none'] = [] }: { flags?: readonly string[] } = {}) => {
      asked.push(flag)
      if (flag === obeys) active = false
      else if (flag !== 'acpi') await new Promise(() => {})
    },
  }
  return domain as unknown as Guest
}

const ask = async (domain: Guest, mode?: ShutdownMode, timeoutMs = 450): Promise<void> =>
  shutDown(domain, { timeoutMs, mode, signal: new AbortController().signal })

describe('a guest that is asked to shut down', { timeout: 20_000 }, () => {
  test('is asked by the power button first, also where an agent is connected', async () => {
    const domain = guest('connected', 'acpi')
    await ask(domain, undefined, 10_000)
    assert.deepEqual(domain.asked, ['acpi'])
  })

  test('that does not heed the button is asked by its agent later', async () => {
    const domain = guest('connected', 'agent')
    await ask(domain)
    assert.deepEqual([domain.asked, await domain.isActive()], [['acpi', 'agent'], false])
  })

  test('whose agent hangs holds nobody longer than the time', async () => {
    const domain = guest('connected', 'nothing')
    await ask(domain)
    assert.deepEqual([domain.asked, await domain.isActive()], [['acpi', 'agent'], true])
  })

  for (const agent of ['disconnected', 'none'] as const) {
    test(`with an agent that is ${agent} is asked by the button alone`, async () => {
      const domain = guest(agent, 'nothing')
      await ask(domain)
      assert.deepEqual(domain.asked, ['acpi'])
      await assert.rejects(ask(domain, 'agent'), { code: 'AGENT_UNAVAILABLE' })
    })
  }

  test('is asked in one way alone where that is said', async () => {
    const [byAgent, byButton] = [guest('connected', 'agent'), guest('connected', 'nothing')]
    await ask(byAgent, 'agent')
    await ask(byButton, 'acpi')
    assert.deepEqual([byAgent.asked, byButton.asked], [['agent'], ['acpi']])
  })

  test('is waited for no longer when the command is interrupted', async () => {
    const stop = new AbortController()
    stop.abort()
    await assert.rejects(shutDown(guest('none', 'nothing'), { timeoutMs: 1e6, mode: undefined, signal: stop.signal }), {
      code: 'ABORTED',
    })
  })
})
