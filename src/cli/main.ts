#!/usr/bin/env node
import { Command } from 'commander'

const program = new Command('whetstone').description('LLM post-training for TypeScript')
await program.parseAsync()
