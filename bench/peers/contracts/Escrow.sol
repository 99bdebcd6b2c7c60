// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

// What the batch-settlement scheme of the x402 package asks of a chain until it settles: deposits
// into channels, and what they hold. Claims, refunds and withdrawals are not measured and not here.

struct ChannelConfig {
    address payer;
    address payerAuthorizer;
    address receiver;
    address receiverAuthorizer;
    address token;
    uint40 withdrawDelay;
    bytes32 salt;
}

struct Channel {
    uint128 balance;
    uint128 totalClaimed;
}

struct Withdrawal {
    uint128 amount;
    uint40 initiatedAt;
}

interface IAuthorised {
    function receiveWithAuthorization(
        address from, address to, uint256 value, uint256 validAfter, uint256 validBefore,
        bytes32 nonce, uint8 v, bytes32 r, bytes32 s
    ) external;

    function transfer(address to, uint256 value) external returns (bool);
}

/// Takes a deposit by the payer's signed authorisation and passes it on to whoever asks.
contract Collector {
    function collect(
        address payer, address token, uint128 amount, bytes32 channel, bytes calldata data
    ) external {
        (uint256 notBefore, uint256 notAfter, uint256 salt, bytes memory signature) =
            abi.decode(data, (uint256, uint256, uint256, bytes));
        (bytes32 r, bytes32 s, uint8 v) = split(signature);
        IAuthorised(token).receiveWithAuthorization(
            payer, address(this), amount, notBefore, notAfter,
            keccak256(abi.encode(channel, salt)), v, r, s
        );
        require(IAuthorised(token).transfer(msg.sender, amount), "not passed on");
    }

    function split(bytes memory signature) private pure returns (bytes32 r, bytes32 s, uint8 v) {
        require(signature.length == 65, "not a signature");
        assembly {
            r := mload(add(signature, 32))
            s := mload(add(signature, 64))
            v := byte(0, mload(add(signature, 96)))
        }
        if (v < 27) v += 27;
    }
}

/// Holds what payers have deposited for receivers, channel by channel.
contract Escrow {
    mapping(bytes32 channel => Channel) public channels;
    mapping(bytes32 channel => Withdrawal) public pendingWithdrawals;
    mapping(bytes32 channel => uint256) public refundNonce;

    bytes32 private constant DOMAIN = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    );
    bytes32 private constant CONFIG = keccak256(
        "ChannelConfig(address payer,address payerAuthorizer,address receiver,"
        "address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)"
    );

    function deposit(
        ChannelConfig calldata config, uint128 amount, address collector, bytes calldata data
    ) external {
        bytes32 channel = getChannelId(config);
        channels[channel].balance += amount;
        Collector(collector).collect(config.payer, config.token, amount, channel, data);
    }

    function getChannelId(ChannelConfig calldata config) public view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                DOMAIN, keccak256("x402 Batch Settlement"), keccak256("1"), block.chainid,
                address(this)
            )
        );
        bytes32 body = keccak256(abi.encode(CONFIG, config));
        return keccak256(abi.encodePacked("\x19\x01", domain, body));
    }
}

struct Call {
    address target;
    bytes callData;
}

struct Answer {
    bool success;
    bytes returnData;
}

/// Several questions in one.
contract Questions {
    function tryAggregate(bool all, Call[] calldata calls) external returns (Answer[] memory got) {
        got = new Answer[](calls.length);
        for (uint256 i; i < calls.length; ++i) {
            (bool success, bytes memory said) = calls[i].target.call(calls[i].callData);
            require(success || !all, "a call failed");
            got[i] = Answer(success, said);
        }
    }
}
