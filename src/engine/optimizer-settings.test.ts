import { describe, expect, it } from 'vitest'
import { optimizerSettings } from './optimizer-settings.ts'
import { probeLoss, sequenceOf, tinyModel } from './testing/tiny-model.ts'

const adamw = { learningRate: 0.1 }

describe('optimizerSettings', () => {
  it.each([
    [{ learningRate: -1 }, 'learningRate is -1; it must be a number at least 0'],
    [{ learningRate: Number.NaN }, 'learningRate is NaN'],
    [{ learningRate: 1e39 }, 'learningRate is 1e+39; it must be a number at least 0 and finite in 32 bits'],
    [{ learningRate: '0.1' }, "learningRate is '0.1'"],
    [{}, 'learningRate is undefined'],
    [{ ...adamw, beta1: 1 }, 'beta1 is 1; it must be a number at least 0 and below 1'],
    [{ ...adamw, beta2: 1 - 1e-12 }, 'beta2 is 0.999999999999; it must be a number at least 0 and below 1'],
    [{ ...adamw, epsilon: 0 }, 'epsilon is 0; it must be a number above 0'],
    [{ ...adamw, epsilon: 1e-60 }, 'epsilon is 1e-60'],
    [{ ...adamw, weightDecay: -0.1 }, 'weightDecay is -0.1'],
    [{ ...adamw, maxGradientNorm: Infinity }, 'maxGradientNorm is Infinity'],
    [{ ...adamw, kind: 'sgd' }, "kind is 'sgd'; it must be 'adamw' or 'muon'"],
    [{ ...adamw, betta1: 0.5 }, "no setting is named 'betta1'; there are kind,"],
    [undefined, 'the settings are undefined; they must be an object'],
    [{ kind: 'muon', learningRate: 0.1 }, 'adamw: the settings are undefined'],
    [{ kind: 'muon', learningRate: 0.1, adamw: {} }, 'adamw.learningRate is undefined'],
    [{ kind: 'muon', learningRate: 0.1, adamw: { ...adamw, beta2: 2 } }, 'adamw.beta2 is 2'],
    [{ kind: 'muon', learningRate: 0.1, adamw, momentum: 1 }, 'momentum is 1; it must be'],
    [{ kind: 'muon', learningRate: 0.1, adamw, weightDecay: Number.NaN }, 'weightDecay is NaN'],
    [{ kind: 'muon', learningRate: 0.1, adamw, beta1: 0.9 }, "no setting is named 'beta1'"],
  ])('refuses %o', (step, message) => {
    expect(() => optimizerSettings(step as never)).toThrow(`optimStep: ${message}`)
  })

  it('takes the ends of each range', () => {
    expect(optimizerSettings({ learningRate: 0, beta1: 0, beta2: 0, maxGradientNorm: 0 })).toMatchObject({
      learningRate: 0,
      maxNorm: 0,
    })
  })
})

describe('optimStep', () => {
  it('at a learning rate of 0 changes no weight, by either optimiser', async () => {
    const model = await (await tinyModel('llama-gqa-tied', 'f32')).trainable({ full: true })
    const row = [sequenceOf([1, 2, 3, 4, 5])]
    const before = await model.forward(row)
    const still = { learningRate: 0, weightDecay: 0.1 }
    for (const step of [still, { kind: 'muon', ...still, adamw: still } as const]) {
      await model.forwardBackward([{ sequences: row }], probeLoss)
      expect((await model.optimStep(step)).gradientNorm).toBeGreaterThan(0)
      expect(await model.forward(row)).toEqual(before)
      await model.resetOptimizer()
    }
  })

  it('that is refused leaves the gradients for one that is right', async () => {
    const model = await (await tinyModel('llama-gqa-tied', 'f32')).trainable({ full: true })
    await model.forwardBackward([{ sequences: [sequenceOf([1, 2, 3, 4, 5])] }], probeLoss)
    const before = await model.gradient('model.norm.weight')
    await expect(model.optimStep({ learningRate: 0.1, beta1: 1 })).rejects.toThrow('beta1 is 1')
    expect(await model.gradient('model.norm.weight')).toEqual(before)
  })
})
