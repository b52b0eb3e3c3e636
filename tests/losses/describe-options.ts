import { describe, expect, it } from 'vitest'
import type { OptionSpecs } from '../../src/losses/options.ts'

/** What runs, its options, and for each option a setting of the others under which two values must differ. */
export interface OptionSubject {
  specs: OptionSpecs
  run(options: object): unknown
  effects: Record<string, [object, object]>
}

/** Each option has an effect, is refused outside its range with an error that states it, and none goes untested. */
export function describeOptions(name: string, { specs, run, effects }: OptionSubject): void {
  describe(name, () => {
    it('every option is tested', () => {
      expect(Object.keys(effects).sort()).toEqual(Object.keys(specs).sort())
    })

    for (const [option, [one, other]] of Object.entries(effects)) {
      it(`${option} changes the outcome`, () => {
        expect(run({ ...one })).not.toEqual(run({ ...other }))
      })
      for (const wrong of [Number.NaN, Infinity, -1e9, 'nonsense']) {
        it(`${option} refuses ${wrong}, stating what is allowed`, () => {
          expect(() => run({ ...one, [option]: wrong })).toThrow(RangeError)
          expect(() => run({ ...one, [option]: wrong })).toThrow(
            new RegExp(`${option} must be .*${specs[option]!.values.replace(/[[\]()|]/g, '\\$&')}.*got`),
          )
        })
      }
    }

    it('an unknown option is refused, with the known ones listed', () => {
      expect(() => run({ temprature: 1 })).toThrow(/unknown option "temprature"; its options are: /)
    })
  })
}
