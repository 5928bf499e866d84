// The shipping service: books a courier (can be cancelled) and sends the parcel off (cannot).
import { participant } from './participant.ts'

/** Longer than anybody waits, retries included: the booking arrives after the saga has given up and undone it. */
const FOG_MS = 8_000

let bookings = 0
let parcels = 0

participant('shipping', {
  book: {
    amount: () => 1,
    run(body) {
      if (body.zone === 'island') return { declined: 'no courier goes to islands' }
      bookings += 1
      return { body: { id: `booking-${bookings}` }, revert: () => {} }
    },
    delayMs: (body) => (body.zone === 'fog' ? FOG_MS : 0),
  },
  ship: {
    amount: () => 1,
    run() {
      parcels += 1
      return { body: { parcel: `parcel-${parcels}` }, revert: () => {} }
    },
  },
})
