import { describe, expect, it } from 'vitest'
import { createPolicy } from './policy.ts'
import { chatTokenizer } from './testing/chat-tokenizers.ts'
import { scriptedModel } from './testing/scripted-model.ts'

describe('a policy', () => {
  it('is refused where no call could be answered: no chat template, no model', async () => {
    const bare = scriptedModel({ ...(await chatTokenizer('hermes')), chatTemplate: undefined }, () => '')
    expect(() => createPolicy(bare)).toThrow('no chat template')
    expect(() => createPolicy(bare, { chatTemplate: '{{ messages }}' })).not.toThrow()
    for (const model of [undefined, null, {}, 'smollm2-135m'])
      expect(() => createPolicy(model as never)).toThrow('first argument must be a model')
  })

  it.each<[string, RegExp]>([
    ['{% for m in messages %}{{ m.content }}', /the chat template does not parse: /],
    ['{{ messages | shuffle }}', /the chat template refuses these messages: .*shuffle/],
    ["{{ raise_exception('never') }}", /the chat template refuses these messages: never/],
  ])('is refused with a chat template that renders nothing: %s', async (template, reason) => {
    const tokenizer = await chatTokenizer('hermes')
    const given = () =>
      createPolicy(
        scriptedModel(tokenizer, () => ''),
        { chatTemplate: template },
      )
    expect(given).toThrow('createPolicy: the option chatTemplate: ')
    expect(given).toThrow(reason)
    const own = () => createPolicy(scriptedModel({ ...tokenizer, chatTemplate: template }, () => ''))
    expect(own).toThrow("createPolicy: the model's tokenizer (chat_template.jinja, or ")
    expect(own).toThrow(reason)
  })

  it('is refused with a template that leaves the messages out', async () => {
    const model = scriptedModel(await chatTokenizer('hermes'), () => '')
    for (const chatTemplate of ['', '{{ bos_token }}'])
      expect(() => createPolicy(model, { chatTemplate })).toThrow(
        /option chatTemplate.*leaves the messages out/,
      )
  })

  it('is made with templates that want a system message, tools or an option', async () => {
    const wants = (condition: string) =>
      `{% if not (${condition}) %}{{ raise_exception('no') }}{% endif %}{{ messages[0].content }}`
    const model = scriptedModel(await chatTokenizer('hermes'), () => '')
    for (const condition of ["messages[0].role == 'system'", 'tools', 'style'])
      createPolicy(model, { chatTemplate: wants(condition), templateOptions: { style: 'plain' } })
  })
})
