// The payment service: charges cards. There is no undo: in the saga, charging is the point of no return.
import { participant } from './participant.ts'

let charges = 0

participant('payment', {
  charge: {
    amount: (body) => Number(body.amountCents),
    run(body) {
      if (body.card === 'tok_declined') return { declined: 'card declined' }
      charges += 1
      return { body: { id: `payment-${charges}` }, revert: () => {} }
    },
  },
})
