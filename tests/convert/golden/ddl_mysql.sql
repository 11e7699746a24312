# a dump as mysqldump writes it
/*!40101 SET NAMES utf8mb4 */;
DROP TABLE IF EXISTS `orders`;
/*!50503 SET character_set_client = utf8mb4 */;
CREATE TABLE `orders` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT COMMENT 'it''s; the key',
  `b` tinyint(1) DEFAULT '0',
  `u8` tinyint(3) unsigned zerofill, u16 smallint unsigned, u24 mediumint unsigned, u32 int(10) unsigned DEFAULT '7',
  `kind` enum('a','b;)','ż') CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT 'a',
  `flags` set('x','yy') DEFAULT NULL,
  `y` year(4), `d` date DEFAULT '0000-00-00',
  `at` datetime(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  `seen` timestamp NULL DEFAULT CURRENT_TIMESTAMP,
  `took` time(3),
  `v` varchar(20000) CHARACTER SET utf8mb4 NOT NULL DEFAULT '',
  `nv` NATIONAL VARCHAR(10), `bin` varchar(5) BINARY,
  `bit1` bit, `bit8` bit(8) DEFAULT b'0', `bit20` bit(20), `bit64` bit(64),
  `dc` decimal(65,30), `dc2` decimal(10,2) unsigned DEFAULT 1.50, `dc3` numeric,
  `tt` tinytext, `tx` text, `mt` mediumtext, `lt` longtext,
  `h` binary(16), `vbin` varbinary(300), `lb` longblob,
  `g` point /*!80003 SRID 4326 */, `f` float(7,3) unsigned, `f2` float(53), `dbl` double(8,2),
  `j` json DEFAULT NULL, `bool` boolean, `key` int,
  `next` int GENERATED ALWAYS AS ((`u32` + 1)) VIRTUAL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `u` (`v`(10) DESC), KEY `k` (`b`,`y`), FULLTEXT KEY `ft` (`tx`),
  CONSTRAINT `fk` FOREIGN KEY (`u32`) REFERENCES `shops` (`id`) ON DELETE SET NULL,
  CONSTRAINT `c` CHECK ((`u32` > 0) and (`y` < 3000))
) ENGINE=InnoDB AUTO_INCREMENT=17 DEFAULT CHARSET=utf8mb4 COMMENT='all; of them';
LOCK TABLES `orders` WRITE;
INSERT INTO `orders` VALUES (1,'CREATE TABLE trap (a int);','\'quoted\\'),(2,"x;y",NULL);
UNLOCK TABLES;
DELIMITER ;;
CREATE PROCEDURE p() BEGIN CREATE TABLE trap3 (a int); END ;;
DELIMITER ;
CREATE TABLE shops LIKE orders;
