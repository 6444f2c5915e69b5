import { contract } from "./contract.ts";

contract("pty");
