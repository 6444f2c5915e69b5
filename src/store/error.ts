import { type CommitError, type OpenError, StoreCorrupt, StoreFenced, StoreFull, StoreNewer, StoreOwned, StoreReadOnly, StoreUnavailable } from "../ports/store.ts";
import type { CommitFailure, OpenFailure } from "./failure.ts";

export const commitError = (failure: CommitFailure): CommitError => {
  switch (failure._tag) {
    case "StoreFenced": return new StoreFenced(failure);
    case "StoreFull": return new StoreFull(failure);
    case "StoreUnavailable": return new StoreUnavailable(failure);
  }
};

export const openError = (failure: OpenFailure): OpenError => {
  switch (failure._tag) {
    case "StoreCorrupt": return new StoreCorrupt(failure);
    case "StoreNewer": return new StoreNewer(failure);
    case "StoreOwned": return new StoreOwned(failure);
    case "StoreReadOnly": return new StoreReadOnly(failure);
    case "StoreUnavailable": return new StoreUnavailable(failure);
    case "StoreFull": return new StoreFull(failure);
  }
};
