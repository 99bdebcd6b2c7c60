// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";

/// A dollar for measuring with: six decimals, transfers by signed authorisation, made by anybody.
contract Dollar is ERC3009 {
    constructor() ERC20("Bench Dollar", "BUSD") EIP712("Bench Dollar", "1") {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function version() external pure returns (string memory) {
        return "1";
    }

    function mint(address to, uint256 units) external {
        _mint(to, units);
    }
}
