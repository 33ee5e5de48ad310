/** Preloaded: guests that are told what to say, each command to one of them an operation that can go wrong. */
import { told } from '../support/told-guest.ts'
import { counting } from './inject.ts'

told.counted = counting.around
